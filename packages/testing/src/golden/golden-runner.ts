import { type GoldenRequest, parseGoldenFile } from './golden-file.ts';
import { type Captures, differences, fillIn } from './golden-match.ts';

/** What came back; header names in lower case. */
export interface GoldenAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** What a golden file is played against: functions in a test, or a server over real sockets. */
export interface GoldenTarget {
  send(request: GoldenRequest): Promise<GoldenAnswer>;
  /** Lets so much time pass; a file that asks for it fails without. */
  advance?(ms: number): Promise<void>;
}

/** Plays a golden file in order; rejects at the first reply that is not as written, saying everything about it. */
export async function playGoldenFile(text: string, target: GoldenTarget): Promise<void> {
  const captures: Captures = new Map();
  for (const step of parseGoldenFile(text)) {
    if (step.kind === 'advance') {
      if (!target.advance) throw new Error(`line ${step.line}: time cannot be turned here`);
      await target.advance(step.ms);
      continue;
    }
    const { request, reply, title, line } = step;
    const answer = await target.send({
      method: request.method,
      target: fillIn(request.target, captures),
      headers: Object.fromEntries(
        Object.entries(request.headers).map(([name, value]) => [name, fillIn(value, captures)]),
      ),
      body: fillIn(request.body, captures),
    });
    const found = [
      ...differences(reply.status, answer.status, captures, 'status'),
      ...Object.entries(reply.headers).flatMap(([name, value]) =>
        differences(value, answer.headers[name], captures, name),
      ),
      ...bodyDifferences(reply.body, answer, captures),
    ];
    if (found.length > 0) {
      const sent = `${request.method} ${fillIn(request.target, captures)}`;
      throw new Error(
        `line ${line}, "${title}" (${sent}):\n  ${found.join('\n  ')}\nwas ${answer.status} ${answer.body.slice(0, 4_000)}`,
      );
    }
  }
}

function bodyDifferences(
  expected: string | undefined,
  answer: GoldenAnswer,
  captures: Captures,
): string[] {
  if (expected === undefined) return [];
  if (!/\bjson\b/.test(answer.headers['content-type'] ?? '')) {
    // A file's editor decides about the last line's end; a captured body is kept as it is.
    const isPlaceholder = /^\{\{\w+ as \w+\}\}$/.test(expected);
    const text = isPlaceholder ? answer.body : answer.body.trim();
    return differences(expected, text, captures, 'body');
  }
  let body: unknown;
  try {
    body = JSON.parse(answer.body);
  } catch {
    return [`body: expected JSON, found ${answer.body.slice(0, 400)}`];
  }
  return differences(JSON.parse(expected), body, captures);
}
