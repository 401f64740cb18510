import { Exchange, type Principal, Reply, type ReplyStream, type RequestHead, type Wire } from '../exchange.ts';
import { inertServices } from '../identity/inert-services.ts';
import { HeaderList } from '../lib/header-list.ts';
import type { CompileContext } from './policy.ts';

/** For tests of policies, custom ones too: an exchange as a listener would hand it over, with any part of its head replaced. */
export function testExchange(head: Partial<RequestHead> = {}): Exchange {
  return new Exchange({
    id: '01K0000000TESTTESTTESTTEST',
    listener: { name: 'public', exposure: 'public' },
    httpVersion: '1.1',
    method: 'GET',
    scheme: 'https',
    authority: 'api.example.com',
    host: 'api.example.com',
    target: { path: '/', query: undefined, encodedDelimiters: false },
    headers: new HeaderList([]),
    body: undefined,
    bodyLength: undefined,
    trailers: () => undefined,
    upgrade: undefined,
    clientAddress: '192.0.2.7',
    peerAddress: '192.0.2.7',
    tls: undefined,
    wire: new RecordingWire(),
    ...head,
  });
}

/** What an upstream answered, before any hook saw it. */
export function upstreamReply(status: number, headers: readonly string[], body: Reply['body'] = undefined): Reply {
  return new Reply(status, new HeaderList([...headers]), body, 'upstream');
}

export const publicRoute: CompileContext = {
  api: 'widgets',
  route: 'widgets',
  exposure: 'public',
  secure: true,
  path: '/',
  ownIssuer: undefined,
  identity: inertServices,
};

/** A principal as a policy of the `identify` phase makes it, with any part replaced. */
export function testPrincipal(facts: Partial<Principal> = {}): Principal {
  return {
    id: 'https://issuer.example|alice',
    kind: 'user',
    method: 'oauth',
    issuer: 'https://issuer.example',
    subject: 'alice',
    clientId: 'app',
    consumer: undefined,
    credentialId: 'jti-1',
    scopes: [],
    claims: {},
    ...facts,
  };
}

/** A wire that keeps what is written, as one text. */
export class RecordingWire implements Wire {
  status = 0;
  headers = new HeaderList([]);
  text = '';
  takeOver = undefined;
  onDrain = undefined;

  head(status: number, headers: readonly string[]): void {
    this.status = status;
    this.headers = new HeaderList([...headers]);
  }

  write(chunk: Uint8Array): boolean {
    this.text += Buffer.from(chunk).toString();
    return true;
  }

  end(last: Uint8Array | string | undefined): void {
    this.text += last === undefined ? '' : Buffer.from(last).toString();
  }

  abort(): void {
    throw new Error('the reply was cut');
  }
}

/** A reply body that tells whether it was cancelled. */
export class RecordingStream implements ReplyStream {
  cancelled = false;

  pipeTo(): void {
    throw new Error('nobody should read this body');
  }

  pause(): void {}

  resume(): void {}

  cancel(): void {
    this.cancelled = true;
  }
}
