/** A reply as an independent and strict reader sees it. */
export interface ParsedReply {
  readonly status: number;
  readonly headers: ReadonlyMap<string, readonly string[]>;
}

export type ParsedReplies =
  | { readonly replies: readonly ParsedReply[]; readonly fault: undefined }
  /** `cut` marks what may be the beginning of a well-formed reply. */
  | { readonly replies: readonly ParsedReply[]; readonly fault: string; readonly cut: boolean };

/** Reads the HTTP/1.1 replies that stand one behind the other in a text (RFC 9112); none of them may be the answer to a HEAD. */
export function parseReplies(text: string): ParsedReplies {
  const replies: ParsedReply[] = [];
  let rest = text;
  while (rest !== '') {
    const end = rest.indexOf('\r\n\r\n');
    if (end < 0) return { replies, fault: 'a head without an end', cut: true };
    const [statusLine = '', ...lines] = rest.slice(0, end).split('\r\n');
    const status = Number(/^HTTP\/1\.1 ([1-5]\d\d) [\t\x20-\x7e]*$/.exec(statusLine)?.[1] ?? 0);
    if (status === 0) return { replies, fault: `status line ${JSON.stringify(statusLine)}`, cut: false };
    const headers = new Map<string, string[]>();
    for (const line of lines) {
      const parts = /^([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*([\t\x20-\x7e]*)$/.exec(line);
      if (parts === null) return { replies, fault: `header line ${JSON.stringify(line)}`, cut: false };
      const name = (parts[1] ?? '').toLowerCase();
      headers.set(name, [...(headers.get(name) ?? []), parts[2] ?? '']);
    }
    rest = rest.slice(end + 4);
    if (status >= 200) replies.push({ status, headers });
    if (status < 200 || status === 204 || status === 304) continue;
    const lengths = headers.get('content-length');
    if (headers.has('transfer-encoding')) {
      if (lengths !== undefined) return { replies, fault: 'two framings', cut: false };
      const after = afterChunks(rest);
      if (after === undefined) return { replies, fault: 'chunks without an end', cut: true };
      rest = after;
    } else if (lengths?.length === 1 && /^\d+$/.test(lengths[0] ?? '')) {
      const length = Number(lengths[0]);
      if (rest.length < length) return { replies, fault: 'a body shorter than its length', cut: true };
      rest = rest.slice(length);
    } else {
      return { replies, fault: `length ${lengths?.join(' and ')}`, cut: false };
    }
  }
  return { replies, fault: undefined };
}

function afterChunks(text: string): string | undefined {
  let rest = text;
  for (;;) {
    const size = /^([0-9a-f]+)\r\n/i.exec(rest);
    if (size === null) return undefined;
    const length = Number.parseInt(size[1] ?? '', 16);
    rest = rest.slice(size[0].length + length);
    if (!rest.startsWith('\r\n')) return undefined;
    rest = rest.slice(2);
    if (length === 0) return rest;
  }
}
