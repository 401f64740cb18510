import { errors } from 'oidc-provider';
import type { User } from '../../stores/stores.ts';
import { messageScreen } from '../screens/failure.ts';
import { allow, type Consent, deny, type Interaction, showConsent, targetsOf, textOf } from './consent-interaction.ts';
import { type Desk, userEvent } from './desk.ts';
import { rememberBrowser } from './known-browser.ts';
import { refuseForm } from './refuse-form.ts';
import { firstPage } from './sign-in-pages.ts';
import type { SignInPlace } from './sign-in-place.ts';
import { takeSignInStep } from './sign-in-steps.ts';
import type { SignInWish } from './upstream-provider.ts';
import { goUpstream, takeReturn } from './upstream-steps.ts';
import { redirectTo, showScreen, type Visit } from './visit.ts';

/** Answers at `/interaction/<uid>` and below: the protocol has stopped to ask somebody something. */
export async function answerInteraction(desk: Desk, visit: Visit, rest: string): Promise<void> {
  const [uid = '', step, ...more] = rest.split('/');
  const interaction = await interactionOf(desk, visit);
  if (interaction === undefined || interaction.uid !== uid || more.length > 0) return expired(desk, visit);
  const clientId = textOf(interaction.params['client_id']) ?? '';
  const client = await desk.parts.provider.Client.find(clientId);
  if (client === undefined) return expired(desk, visit);
  const facts = { interaction, client: client.metadata(), scope: `interaction ${uid}` };

  if (interaction.prompt.name === 'login') return await answerLogin(desk, visit, { ...facts, step });
  const userId = interaction.session?.accountId;
  if (interaction.prompt.name !== 'consent' || userId === undefined || step !== undefined) return expired(desk, visit);
  await answerConsent(desk, visit, { ...facts, userId });
}

async function answerConsent(desk: Desk, visit: Visit, consent: Consent): Promise<void> {
  if (visit.req.method === 'GET') return await showConsent(desk, visit, consent);
  const read = await desk.guard.read(visit, consent.scope);
  if (read.form === undefined) return refuseForm(desk, visit, read.refused);
  const action = read.form.get('action');
  if (action === 'allow') await allow(desk, visit, consent);
  else if (action === 'deny') await deny(desk, visit);
  else refuseForm(desk, visit, 'malformed');
}

interface Login {
  readonly interaction: Interaction;
  readonly client: Consent['client'];
  readonly scope: string;
  readonly step: string | undefined;
}

async function answerLogin(desk: Desk, visit: Visit, login: Login): Promise<void> {
  const { interaction, client, scope, step } = login;
  const device = interaction.deviceCode !== undefined;
  const place: SignInPlace = {
    scope,
    path: desk.places.interaction(interaction.uid),
    client: desk.parts.describeClient(client),
    formTargets: device ? [] : targetsOf(textOf(interaction.params['redirect_uri'])),
    username: textOf(interaction.params['login_hint']) ?? '',
    carried: {},
  };
  if (step !== undefined) return await answerUpstream(desk, visit, { place, step, wish: wishOf(interaction) });
  if (visit.req.method === 'GET') return showScreen(visit, await firstPage(desk, visit, place));
  const read = await desk.guard.read(visit, scope);
  if (read.form === undefined) return refuseForm(desk, visit, read.refused);
  if (read.form.get('action') === 'cancel') return await deny(desk, visit);
  const outcome = await takeSignInStep(desk, visit, place, read.form);
  if (outcome === undefined) return refuseForm(desk, visit, 'malformed');
  if (outcome.user === undefined) return showScreen(visit, outcome.page, outcome);
  await finish(desk, visit, { place, user: outcome.user, methods: outcome.methods });
}

async function answerUpstream(
  desk: Desk,
  visit: Visit,
  { place, step, wish }: { readonly place: SignInPlace; readonly step: string; readonly wish: SignInWish },
): Promise<void> {
  const at = { scope: place.scope, returnPath: place.path };
  if (desk.upstream === undefined || visit.req.method !== 'GET') return redirectTo(visit, place.path);
  if (step === 'upstream') return await goUpstream(desk, visit, { ...at, provider: desk.upstream, carried: '', wish });
  const returned = step === 'return' ? await takeReturn(desk, visit, at) : undefined;
  if (returned === undefined) return redirectTo(visit, place.path);
  await finish(desk, visit, { place, ...returned, methods: ['upstream'] });
}

/** What the app asked is asked of the provider too: only there somebody can show anew who they are. */
function wishOf({ params }: Interaction): SignInWish {
  const maxAge = params['max_age'] === undefined ? undefined : Number(params['max_age']);
  return {
    anew: textOf(params['prompt'])?.split(' ').includes('login') ?? false,
    maxAge,
    loginHint: textOf(params['login_hint']),
  };
}

/** The protocol takes over; it gives the session a new id, so that one which was planted before opens nothing (session fixation). */
async function finish(
  desk: Desk,
  visit: Visit,
  signedIn: {
    readonly place: SignInPlace;
    readonly user: User;
    readonly methods: readonly string[];
    readonly authenticatedAt?: number | undefined;
  },
): Promise<void> {
  const { place, user, methods, authenticatedAt } = signedIn;
  await rememberBrowser(desk, visit, user);
  const detail = { methods, at: place.client?.id ?? 'account' };
  desk.parts.report(userEvent(visit, { type: 'user.signed-in', userId: user.id, byUser: true, detail }));
  // How somebody proved themselves elsewhere is not known, and RFC 8176 has no word for it.
  const amr = methods.filter((method) => method !== 'upstream');
  // Whenever the browser follows to the protocol: that can be made to take as long as an interaction lasts.
  const now = Math.floor(Date.now() / 1000);
  const ts = Math.min(now, authenticatedAt ?? now);
  const login = { accountId: user.id, ts, ...(amr.length === 0 ? {} : { amr }) };
  await desk.parts.provider.interactionFinished(visit.req, visit.res, { login }, { mergeWithLastSubmission: false });
}

/** The interaction this browser's cookie is for; undefined where there is none any more. */
async function interactionOf({ parts }: Desk, { req, res }: Visit): Promise<Interaction | undefined> {
  try {
    return await parts.provider.interactionDetails(req, res);
  } catch (error) {
    if (error instanceof errors.SessionNotFound) return undefined;
    throw error;
  }
}

function expired(desk: Desk, visit: Visit): void {
  const text =
    'This page has expired, or was begun in another browser. Go back to the app you came from and start again.';
  showScreen(visit, messageScreen(desk.look, { title: 'Start again', text }), { status: 400 });
}
