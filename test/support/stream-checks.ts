import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import type { Readable, Writable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { count, newTally, type Tally } from './stream-upstream.ts';
import { until } from './until.ts';

/** Says three things, each only after the one before came back: neither side may wait for the other's end. */
export async function converse(
  to: Writable,
  from: Readable | Promise<IncomingMessage>,
  head: Promise<unknown>,
): Promise<void> {
  to.write('part 0;');
  await head;
  const reply: Readable = await from;
  let text = '';
  reply.setEncoding('utf8').on('data', (part: string) => {
    text += part;
  });
  for (let part = 1; part < 4; part += 1) {
    await until(`part ${part - 1} to come back`, () => text.endsWith(`part ${part - 1};`));
    to.write(`part ${part};`);
  }
  to.end();
  await once(reply, 'end');
  assert.equal(text, 'part 0;part 1;part 2;part 3;');
}

/** Waits for that many events; they come at a pace of one each 50 ms, so more than two at once were held back. */
export async function takeEvents(stream: Readable, number: number): Promise<void> {
  let taken = 0;
  for (; taken < number; ) {
    const [part]: string[] = await once(stream, 'data');
    const events = [...(part ?? '').matchAll(/data: event (\d+)\n\n/g)].map((match) => Number(match[1]));
    assert.deepEqual(
      events,
      events.map((_, index) => taken + index),
    );
    taken += events.length;
  }
}

export async function tallyStream(stream: Readable): Promise<Tally> {
  const tally = newTally();
  for await (const part of stream) count(tally, Buffer.from(part as Uint8Array)); // no encoding was set
  return tally;
}

export async function textOfStream(stream: Readable): Promise<string> {
  let text = '';
  for await (const part of stream.setEncoding('utf8')) text += part;
  return text;
}

/** Resolves when a count has been the same for a second. */
export async function standsStill(read: () => number): Promise<void> {
  let before = -1;
  await until('the flow to stand still', async () => {
    const now = read();
    const same = now > 0 && now === before;
    before = now;
    if (!same) await delay(1_000);
    return same;
  });
}
