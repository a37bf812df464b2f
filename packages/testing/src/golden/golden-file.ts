/** A header field as it stands in a file; the name in lower case. */
export type GoldenHeaders = Readonly<Record<string, string>>;

export interface GoldenRequest {
  readonly method: string;
  /** Path and query as sent. */
  readonly target: string;
  readonly headers: GoldenHeaders;
  readonly body: string;
}

/** What must come back: the named headers and the body; other headers are free. */
export interface GoldenReply {
  readonly status: number;
  readonly headers: GoldenHeaders;
  /** Absent: any body. */
  readonly body?: string;
}

/** One step of a golden file: an exchange, or `ADVANCE ms`. */
export type GoldenStep =
  | {
      readonly kind: 'exchange';
      readonly title: string;
      readonly line: number;
      readonly request: GoldenRequest;
      readonly reply: GoldenReply;
    }
  | { readonly kind: 'advance'; readonly line: number; readonly ms: number };

const REQUEST_LINE = /^([A-Z]+) (\S+)$/;
const FIELD = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+): ?(.*)$/;

/**
 * Reads a golden file: exchanges separated by a line `===`, each a request, a line `---` and the reply it must have.
 * Lines beginning with `#` before a request say what it shows. A step `ADVANCE 30000` turns the clock.
 */
export function parseGoldenFile(text: string): GoldenStep[] {
  const steps: GoldenStep[] = [];
  let block: string[] = [];
  let start = 1;
  const lines = text.split('\n');
  for (const [at, line] of [...lines, '==='].entries()) {
    if (line !== '===') {
      block.push(line);
      continue;
    }
    if (block.some((each) => each.trim() !== '')) steps.push(parseStep(block, start));
    block = [];
    start = at + 2;
  }
  return steps;
}

function parseStep(block: readonly string[], start: number): GoldenStep {
  const titles: string[] = [];
  let at = 0;
  for (; at < block.length; at++) {
    const line = block[at] ?? '';
    if (line.startsWith('#')) titles.push(line.slice(1).trim());
    else if (line.trim() !== '') break;
  }
  const line = start + at;
  const advance = /^ADVANCE (\d+)$/.exec(block[at] ?? '');
  if (advance) return { kind: 'advance', line, ms: Number(advance[1]) };
  const divider = block.indexOf('---', at);
  if (divider < 0) throw new Error(`golden file, line ${line}: no "---" after the request`);
  const [, method, target] = REQUEST_LINE.exec(block[at] ?? '') ?? [];
  if (method === undefined || target === undefined) {
    throw new Error(`golden file, line ${line}: expected "METHOD /target", found "${block[at]}"`);
  }
  const sent = parseMessage(block.slice(at + 1, divider), line + 1);
  const statusLine = block[divider + 1] ?? '';
  if (!/^[1-5]\d\d$/.test(statusLine)) {
    throw new Error(
      `golden file, line ${start + divider + 1}: expected a status, found "${statusLine}"`,
    );
  }
  const { headers, body } = parseMessage(block.slice(divider + 2), start + divider + 2);
  return {
    kind: 'exchange',
    title: titles.join(' ') || `${method} ${target}`,
    line,
    request: { method, target, headers: sent.headers, body: sent.body },
    reply: { status: Number(statusLine), headers, ...(body === '' ? undefined : { body }) },
  };
}

function parseMessage(lines: readonly string[], start: number) {
  const headers: Record<string, string> = {};
  let at = 0;
  for (; at < lines.length; at++) {
    const line = lines[at] ?? '';
    if (line === '') break;
    const [, name, value] = FIELD.exec(line) ?? [];
    if (name === undefined || value === undefined) {
      throw new Error(`golden file, line ${start + at}: expected a header field, found "${line}"`);
    }
    headers[name.toLowerCase()] = value;
  }
  return {
    headers,
    body: lines
      .slice(at + 1)
      .join('\n')
      .trim(),
  };
}
