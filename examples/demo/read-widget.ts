import type { IncomingMessage } from 'node:http';
import { type Colour, colours, type WidgetInput } from './widget-store.ts';

/** What the API answers instead of a widget. */
export interface Refusal {
  readonly status: number;
  readonly error: string;
}

/** Reads a widget from the body of a request; every fault of it is named. */
export async function readWidget(request: IncomingMessage): Promise<WidgetInput | Refusal> {
  if (!/^application\/json\s*(;|$)/i.test(request.headers['content-type'] ?? '')) {
    return { status: 415, error: 'send application/json' };
  }
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request) {
    bytes += chunk.length;
    if (bytes > MOST_BYTES) return { status: 413, error: `a widget has at most ${MOST_BYTES} bytes` };
    chunks.push(chunk);
  }
  try {
    return judge(JSON.parse(Buffer.concat(chunks).toString('utf8')));
  } catch (error) {
    if (error instanceof SyntaxError) return { status: 400, error: 'the body is no JSON' };
    throw error;
  }
}

function judge(value: unknown): WidgetInput | Refusal {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return { status: 422, error: 'send an object' };
  }
  const { name, colour, price, ...rest } = value as Readonly<Record<string, unknown>>; // an object that is no list
  const faults: string[] = [];
  if (!isName(name)) faults.push('name must be 1 to 100 characters');
  if (!isColour(colour)) faults.push(`colour must be one of ${colours.join(', ')}`);
  if (!isPrice(price)) faults.push('price must be a whole number of cents, 0 or more');
  for (const key of Object.keys(rest)) faults.push(`${JSON.stringify(key)} is no property of a widget`);
  if (isName(name) && isColour(colour) && isPrice(price) && faults.length === 0) return { name, colour, price };
  return { status: 422, error: faults.join('; ') };
}

function isName(value: unknown): value is string {
  return typeof value === 'string' && value.length >= 1 && value.length <= 100;
}

function isColour(value: unknown): value is Colour {
  return colours.some((colour) => colour === value);
}

function isPrice(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

const MOST_BYTES = 64 * 1024;
