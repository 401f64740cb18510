/**
 * The one script of the pages, for browsers that know passkeys: it shows the parts a passkey works in, asks the browser, and
 * sends the answer with the form. Everything it needs stands in the page, so nothing is fetched.
 */
export const passkeyScript = `(() => {
  'use strict';
  const web = window.SimpleWebAuthnBrowser;
  if (!web || !web.browserSupportsWebAuthn()) return;
  for (const part of document.querySelectorAll('[data-passkey-part]')) part.hidden = false;
  for (const form of document.querySelectorAll('form[data-passkey]')) {
    form.addEventListener('submit', async (event) => {
      const answer = form.elements.namedItem('answer');
      if (answer.value !== '') return;
      event.preventDefault();
      const problem = form.querySelector('[data-problem]');
      problem.hidden = true;
      try {
        const optionsJSON = JSON.parse(form.dataset.options);
        const result = form.dataset.passkey === 'create'
          ? await web.startRegistration({ optionsJSON })
          : await web.startAuthentication({ optionsJSON });
        answer.value = JSON.stringify(result);
        form.submit();
      } catch (error) {
        problem.textContent = error && error.name === 'InvalidStateError'
          ? 'This device has a passkey for this account already.'
          : 'The passkey was not used: it was cancelled, or this device has none for this account. You can try again.';
        problem.hidden = false;
      }
    });
  }
})();
`;
