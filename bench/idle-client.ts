// Opens TLS connections to 127.0.0.1, sends one request on each and keeps them idle until its standard input ends.
// Started as: node idle-client.ts <port> <connections> <certificate to trust>. It prints {"open":n} when all are open
// and again for every line on its standard input; {"error":"…"} where it cannot open them.
import { readFileSync } from 'node:fs';
import { connect, createSecureContext, type SecureContext, type TLSSocket } from 'node:tls';

const [port, connections, certificate] = process.argv.slice(2);
const HANDSHAKES_AT_ONCE = 32;
const REQUEST = 'GET / HTTP/1.1\r\nHost: localhost\r\n\r\n';

let open = 0;
await openAll();

async function openAll(): Promise<void> {
  const context = createSecureContext({ ca: readFileSync(String(certificate)) });
  let left = Number(connections);
  const lane = async (): Promise<void> => {
    while (left > 0) {
      left--;
      await openOne(context);
    }
  };
  try {
    await Promise.all(Array.from({ length: HANDSHAKES_AT_ONCE }, lane));
  } catch (error) {
    console.log(JSON.stringify({ error: `after ${open} connections: ${String(error)}` }));
    process.exit(1);
  }
  report();
  process.stdin.on('data', report);
  process.stdin.on('end', () => process.exit(0));
}

/** Resolves when the reply has come whole. */
function openOne(secureContext: SecureContext): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port: Number(port), servername: 'localhost', secureContext });
    socket.on('error', reject);
    socket.once('secureConnect', () => socket.write(REQUEST));
    readReply(socket, () => {
      open++;
      socket.once('close', () => open--);
      resolve();
    });
    socket.once('close', () => reject(new Error('closed before its reply was complete')));
  });
}

/** Enough of HTTP for a reply with Content-Length, or with the chunked coding that a proxy may use instead. */
function readReply(socket: TLSSocket, done: () => void): void {
  let text = '';
  socket.setEncoding('latin1');
  socket.on('data', (chunk: string) => {
    text += chunk;
    const head = text.indexOf('\r\n\r\n');
    if (head < 0) return;
    if (!text.startsWith('HTTP/1.1 200 ')) {
      socket.destroy(new Error(`answered ${text.slice(0, 40)}`));
      return;
    }
    const length = /\r\ncontent-length: (\d+)/i.exec(text.slice(0, head + 2))?.[1];
    const complete = length === undefined ? text.endsWith('\r\n0\r\n\r\n') : text.length >= head + 4 + Number(length);
    if (complete) done();
  });
}

function report(): void {
  console.log(JSON.stringify({ open }));
}
