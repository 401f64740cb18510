import type { IncomingMessage, ServerResponse } from 'node:http';
import { StoreUnavailable } from '../../stores/stores.ts';
import type { CreateInteractions } from '../interaction-contract.ts';
import { errorScreen, messageScreen } from '../screens/failure.ts';
import { answerAccount } from './account-pages.ts';
import { serveAsset } from './assets.ts';
import { createDesk, type Desk, type DeskOptions } from './desk.ts';
import { answerInteraction } from './protocol-pages.ts';
import { openVisit, showScreen, type Visit } from './visit.ts';

/**
 * Everything people see and do at the authorization server besides what the protocol shows by itself: sign-in, consent and
 * their account. `upstream` stays with whoever made it, who closes it.
 */
export function createInteractions(options: DeskOptions): CreateInteractions {
  return function interactionsOf(parts) {
    const desk = createDesk(parts, options);
    const { places } = desk;
    return {
      async handle(req, res) {
        const path = (req.url ?? '/').split('?', 1)[0] ?? '/';
        const asset = below(path, places.assets);
        if (asset !== undefined) return serveAsset(desk.look, { req, res, name: asset });
        const interaction = below(path, places.interaction('').slice(0, -1));
        const account = path === places.account ? '' : below(path, places.account);
        if (interaction === undefined && account === undefined) return false;
        if (req.method !== 'GET' && req.method !== 'POST') return refuseMethod(res);
        return await answer(desk, { req, res }, (visit) =>
          interaction === undefined
            ? answerAccount(desk, visit, account ?? '')
            : answerInteraction(desk, visit, interaction).then(() => true),
        );
      },
    };
  };
}

/** Where a page could not be made, a page says so: it tells nothing of the reason, which the log has. */
async function answer(
  desk: Desk,
  request: { readonly req: IncomingMessage; readonly res: ServerResponse },
  make: (visit: Visit) => Promise<boolean>,
): Promise<boolean> {
  const visit = openVisit({ ...request, address: desk.parts.addressOf(request.req) }, desk.places);
  try {
    return await make(visit);
  } catch (error) {
    if (request.res.headersSent) throw error;
    if (error instanceof StoreUnavailable) {
      desk.parts.fault(error);
      const text = 'Who you are cannot be checked right now. Nothing was changed. Try again in a few seconds.';
      showScreen(visit, messageScreen(desk.look, { title: 'Please come again in a moment', text }), {
        status: 503,
        retryAfterSeconds: 5,
      });
      return true;
    }
    desk.parts.fault(error);
    const facts = { error: 'server_error', description: undefined, status: 500, requestId: visit.requestId };
    showScreen(visit, errorScreen(desk.look, facts), { status: 500 });
    return true;
  }
}

/** What follows a path and a slash; undefined elsewhere. */
function below(path: string, parent: string): string | undefined {
  return path.startsWith(`${parent}/`) ? path.slice(parent.length + 1) : undefined;
}

function refuseMethod(res: ServerResponse): true {
  res.writeHead(405, { allow: 'GET, POST', 'content-type': 'text/plain; charset=utf-8' });
  res.end('GET or POST\n');
  return true;
}
