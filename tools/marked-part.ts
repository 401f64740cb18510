/** A part of a document between `<!-- name -->` and `<!-- /name -->`, which a tool writes. */
export interface MarkedPart {
  readonly name: string;
  readonly text: string;
}

/** Replaces the marked parts of a document. Throws where a marker is missing, doubled or out of order: nothing is guessed. */
export function replaceParts(document: string, parts: readonly MarkedPart[]): string {
  return parts.reduce(replacePart, document);
}

function replacePart(document: string, { name, text }: MarkedPart): string {
  const start = `<!-- ${name} -->`;
  const end = `<!-- /${name.split(' ')[0]} -->`;
  const from = document.indexOf(start);
  const to = document.indexOf(end, from);
  if (from < 0 || to < 0) throw new Error(`the markers ${start} and ${end} are missing`);
  if (document.indexOf(start, from + 1) >= 0) throw new Error(`the marker ${start} stands there twice`);
  return `${document.slice(0, from + start.length)}\n\n${text}\n\n${document.slice(to)}`;
}
