/** One line of a stream, without its end. `text` is undefined for a line beyond the bound; it was passed over. */
export interface Line {
  readonly text: Uint8Array | undefined;
}

/** Cuts a stream of bytes into lines of at most `maxBytes`; whatever comes, no more than one line and one part is held. */
export async function* readLines(stream: AsyncIterable<Uint8Array>, maxBytes: number): AsyncGenerator<Line> {
  let held: Uint8Array[] = [];
  let size = 0;

  function take(piece: Uint8Array): void {
    size += piece.length;
    if (size <= maxBytes) held.push(piece);
    else held = [];
  }
  function finish(): Line {
    const line = { text: size > maxBytes ? undefined : withoutReturn(Buffer.concat(held)) };
    held = [];
    size = 0;
    return line;
  }

  for await (const part of stream) {
    let start = 0;
    for (let end = part.indexOf(NEWLINE); end >= 0; end = part.indexOf(NEWLINE, start)) {
      take(part.subarray(start, end));
      yield finish();
      start = end + 1;
    }
    take(part.subarray(start));
  }
  if (size > 0) yield finish();
}

function withoutReturn(bytes: Uint8Array): Uint8Array {
  return bytes.at(-1) === RETURN ? bytes.subarray(0, -1) : bytes;
}

const NEWLINE = 10;

const RETURN = 13;
