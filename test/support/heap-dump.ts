import { once } from 'node:events';
import { WebSocket } from 'ws';

/** The JavaScript heap of one thread, as a heap snapshot shows it to whoever can attach a debugger. */
export interface HeapDump {
  readonly thread: 'main' | 'worker';
  /** The whole snapshot, in the JSON of V8: every string and every name in the heap, at full length. */
  readonly text: string;
}

/**
 * Dumps the heaps of a process and all its worker threads, by the address its inspector has printed (`ws://…`). Garbage is
 * collected first. What lives outside the heap, such as the bytes of Buffers and of OpenSSL's keys, is in no such dump.
 */
export async function dumpHeaps(inspector: string): Promise<readonly HeapDump[]> {
  const session = await openSession(inspector);
  try {
    // Strings would be cut off after 1,024 characters, which is less than some tokens have.
    const expression = `process.getBuiltinModule('v8').setFlagsFromString('--heap-snapshot-string-limit=1000000')`;
    await session.main.send('Runtime.evaluate', { expression });
    const main = { thread: 'main', text: await session.main.snapshot() } as const;
    const workers: HeapDump[] = [];
    for (const worker of await session.workers()) workers.push({ thread: 'worker', text: await worker.snapshot() });
    return [main, ...workers];
  } finally {
    await session.close();
  }
}

/**
 * The text of every configuration that is held in a heap: all strings that are reachable from an object with the parts of one.
 * Functions are no part of a configuration, so what they hold is left out.
 */
export function configurationsIn({ text }: HeapDump): readonly string[] {
  const heap = readHeap(text);
  return [...heap.objects()]
    .filter((node) => ['listeners', 'apis', 'consumers', 'logins', 'stores'].every((name) => heap.has(node, name)))
    .map((node) => heap.stringsBelow(node).join('\n'));
}

interface Snapshot {
  readonly snapshot: {
    readonly meta: {
      readonly node_fields: readonly string[];
      readonly node_types: readonly [readonly string[]];
      readonly edge_types: readonly [readonly string[]];
    };
  };
  readonly nodes: readonly number[];
  /** Type, name or index, and the place of the target in `nodes`, one after the other. */
  readonly edges: readonly number[];
  readonly strings: readonly string[];
}

interface Edge {
  readonly name: string;
  readonly to: number;
}

function readHeap(text: string) {
  const { snapshot, nodes, edges, strings } = JSON.parse(text) as Snapshot; // V8's own format
  const { node_fields: fields, node_types: nodeTypes, edge_types: edgeTypes } = snapshot.meta;
  const countAt = fields.indexOf('edge_count');
  const nameAt = fields.indexOf('name');
  const firstEdge = new Map<number, number>();
  let passed = 0;
  for (let node = 0; node < nodes.length; node += fields.length) {
    firstEdge.set(node, passed);
    passed += (nodes[node + countAt] ?? 0) * 3;
  }
  const typeOf = (node: number): string => nodeTypes[0][nodes[node] ?? 0] ?? '';
  const nameOf = (node: number): string => strings[nodes[node + nameAt] ?? 0] ?? '';

  /** What a script could reach as well: properties and elements, and the arrays that hold them. */
  function* edgesOf(node: number): Generator<Edge> {
    const from = firstEdge.get(node) ?? 0;
    for (let edge = from; edge < from + (nodes[node + countAt] ?? 0) * 3; edge += 3) {
      const type = edgeTypes[0][edges[edge] ?? 0];
      const name = type === 'property' || type === 'internal' ? (strings[edges[edge + 1] ?? 0] ?? '') : '';
      if (type === 'weak' || type === 'shortcut' || name === '__proto__' || name === 'map') continue;
      yield { name, to: edges[edge + 2] ?? 0 };
    }
  }

  return {
    *objects(): Generator<number> {
      for (const node of firstEdge.keys()) if (typeOf(node) === 'object' && nameOf(node) === 'Object') yield node;
    },
    has: (node: number, property: string): boolean => [...edgesOf(node)].some(({ name }) => name === property),
    stringsBelow(top: number): readonly string[] {
      const seen = new Set([top]);
      const found: string[] = [];
      for (const node of seen) {
        if (/string/.test(typeOf(node))) found.push(nameOf(node));
        for (const { to } of edgesOf(node)) if (IN_DATA.has(typeOf(to))) seen.add(to);
      }
      return found;
    },
  };
}

/** The types of nodes that data is made of. */
const IN_DATA = new Set(['object', 'array', 'string', 'concatenated string', 'sliced string', 'number', 'regexp']);

interface Thread {
  send(method: string, params?: object): Promise<unknown>;
  snapshot(): Promise<string>;
}

async function openSession(inspector: string) {
  const socket = new WebSocket(inspector, { maxPayload: 2 ** 30 });
  await once(socket, 'open');
  const workers = new Map<string, ReturnType<typeof openThread>>();
  const main = openThread((message) => socket.send(message));
  socket.on('message', (data) => {
    const message = JSON.parse(String(data)) as Message; // the inspector's own
    const { sessionId = '', message: inner = '' } = message.params ?? {};
    if (message.method === 'NodeWorker.attachedToWorker')
      workers.set(
        sessionId,
        openThread((text) => void main.send('NodeWorker.sendMessageToWorker', { sessionId, message: text })),
      );
    else if (message.method === 'NodeWorker.receivedMessageFromWorker')
      workers.get(sessionId)?.hear(JSON.parse(inner) as Message);
    else main.hear(message);
  });
  return {
    main,
    async workers(): Promise<readonly Thread[]> {
      await main.send('NodeWorker.enable', { waitForDebuggerOnStart: false });
      return [...workers.values()];
    },
    async close() {
      socket.close();
      await once(socket, 'close');
    },
  };
}

interface Message {
  readonly id?: number;
  readonly method?: string;
  readonly result?: unknown;
  readonly error?: { readonly message: string };
  readonly params?: { readonly chunk?: string; readonly sessionId?: string; readonly message?: string };
}

function openThread(post: (message: string) => void): Thread & { hear(message: Message): void } {
  const waiting = new Map<number, PromiseWithResolvers<unknown>>();
  let chunks: string[] = [];
  let last = 0;
  async function send(method: string, params: object = {}): Promise<unknown> {
    last += 1;
    const answer = Promise.withResolvers<unknown>();
    waiting.set(last, answer);
    post(JSON.stringify({ id: last, method, params }));
    return await answer.promise;
  }
  return {
    send,
    async snapshot() {
      chunks = [];
      await send('HeapProfiler.takeHeapSnapshot', { reportProgress: false });
      return chunks.join('');
    },
    hear({ id, method, result, error, params }) {
      if (method === 'HeapProfiler.addHeapSnapshotChunk') chunks.push(params?.chunk ?? '');
      const answer = waiting.get(id ?? 0);
      if (answer === undefined) return;
      waiting.delete(id ?? 0);
      if (error === undefined) answer.resolve(result);
      else answer.reject(new Error(error.message));
    },
  };
}
