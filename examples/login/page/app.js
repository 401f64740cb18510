/**
 * A page with no token in it. It asks the gateway who is signed in, and calls its API with nothing but the cookie that the
 * browser sends by itself and no script can read.
 */
async function start() {
  show('loading');
  try {
    const session = await getJson('/.auth/session');
    if (session.authenticated) await showBoard(session);
    else showWelcome();
  } catch (error) {
    showFailure(error);
  }
}

function showWelcome() {
  part('account').hidden = true;
  show('welcome');
}

async function showBoard(session) {
  part('name').textContent = session.claims.name ?? session.claims.preferred_username ?? session.subject;
  part('sign-out').elements.csrf.value = session.csrf;
  part('account').hidden = false;
  await Promise.all([showNotes(), showSeen()]);
  show('board');
}

async function showNotes() {
  const { items } = await getJson('/api/notes');
  part('none').hidden = items.length > 0;
  part('notes').replaceChildren(...items.map(noteRow));
}

function noteRow(note) {
  const row = part('note').content.firstElementChild.cloneNode(true);
  row.querySelector('.text').textContent = note.text;
  const time = row.querySelector('time');
  time.dateTime = note.at;
  time.textContent = new Date(note.at).toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' });
  const button = row.querySelector('button');
  button.setAttribute('aria-label', `Delete “${note.text}”`);
  button.addEventListener('click', () => act(() => call(`/api/notes/${note.id}`, { method: 'DELETE' })));
  return row;
}

async function showSeen() {
  const { headers } = await getJson('/api/me');
  const pairs = headers.flatMap(({ name, value }) => [element('dt', name), element('dd', value)]);
  part('headers').replaceChildren(...pairs);
}

function addNote(event) {
  event.preventDefault();
  const field = part('text');
  act(async () => {
    const headers = { 'Content-Type': 'application/json' };
    await call('/api/notes', { method: 'POST', headers, body: JSON.stringify({ text: field.value }) });
    field.value = '';
    field.focus();
  });
}

/** Does something and shows the notes as they are then. */
async function act(change) {
  part('failure').hidden = true;
  try {
    await change();
    await showNotes();
  } catch (error) {
    showFailure(error);
  }
}

async function getJson(path) {
  const reply = await call(path);
  return await reply.json();
}

class SignedOut extends Error {}

/** A 401 is no redirect: it says that the session is over, and the page decides what to do. */
async function call(path, options = {}) {
  const reply = await fetch(path, { ...options, headers: { Accept: 'application/json', ...options.headers } });
  if (reply.status === 401) throw new SignedOut();
  if (!reply.ok) throw new Error(`The server answered ${reply.status}. Try again in a moment.`);
  return reply;
}

function showFailure(error) {
  if (error instanceof SignedOut) return showWelcome();
  part('loading').hidden = true;
  part('failure').textContent = error.message;
  part('failure').hidden = false;
}

function show(name) {
  for (const other of ['loading', 'welcome', 'board']) part(other).hidden = other !== name;
}

function element(name, text) {
  const made = document.createElement(name);
  made.textContent = text;
  return made;
}

function part(id) {
  return document.getElementById(id);
}

part('add').addEventListener('submit', addNote);
// A page that comes back from the browser's memory may be of a session that has ended.
addEventListener('pageshow', (event) => event.persisted && start());
start();
