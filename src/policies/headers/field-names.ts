import { forwardingFieldNames, isHopByHop } from '../../lib/http-fields.ts';

/** Which message a field is edited in, and how. */
export interface Edit {
  readonly message: 'request' | 'reply';
  readonly action: 'set' | 'remove';
}

export interface FieldRefusal {
  readonly message: string;
  readonly hint: string;
}

/** Why a field cannot be edited so, and what to write instead; undefined where it can. `name` is lower case. */
export function refuseField(name: string, edit: Edit): FieldRefusal | undefined {
  if (isHopByHop(name) || FRAMING.has(name)) return CONNECTION;
  if (edit.message === 'request') return madeForRequest(name);
  if (name === 'x-request-id') return MADE_HERE;
  return edit.action === 'set' ? ownedByPolicy(name) : undefined;
}

/** How a message is delimited and addressed: two opinions on that are request smuggling (RFC 9112 §11.2). */
const FRAMING: ReadonlySet<string> = new Set(['content-length', 'expect']);

const CONNECTION: FieldRefusal = {
  message: 'belongs to the connection, not to the message: the gateway makes it anew on each side',
  hint: 'leave it out',
};

const MADE_HERE: FieldRefusal = { message: 'is always made by the gateway', hint: 'leave it out' };

/** Fields the gateway writes into every request itself (see the forward room); one more beside them would be a second opinion. */
function madeForRequest(name: string): FieldRefusal | undefined {
  if (name === 'host') {
    return {
      message: 'is made by the gateway',
      hint: "set the upstream's `preserveHost`, or name the host in its target",
    };
  }
  return MADE_FOR_REQUESTS.has(name) ? MADE_HERE : undefined;
}

const MADE_FOR_REQUESTS: ReadonlySet<string> = new Set(forwardingFieldNames);

/** Reply fields another policy has the last word on: set here they would silently be lost. */
function ownedByPolicy(name: string): FieldRefusal | undefined {
  if (name.startsWith('access-control-')) {
    return { message: 'is set by the cors policy', hint: 'configure `cors` instead' };
  }
  const option = SECURITY_HEADERS.get(name);
  if (option === undefined) return undefined;
  return { message: 'is set by the securityHeaders policy', hint: `configure \`securityHeaders.${option}\` instead` };
}

const SECURITY_HEADERS: ReadonlyMap<string, string> = new Map([
  ['strict-transport-security', 'strictTransportSecurity'],
  ['x-content-type-options', 'noSniff'],
]);
