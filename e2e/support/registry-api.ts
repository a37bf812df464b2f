import { requireDocumentedAnswer } from '../openapi-answers.ts';

/** A thin, honest caller: whatever the server says comes back as it is. */
export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  // biome-ignore lint/suspicious/noExplicitAny: tests look at the wire, whatever it holds
  readonly body: any;
}

/** Every answer of the native API is checked against the server's own API document. */
export async function call(
  origin: string,
  method: string,
  path: string,
  body?: unknown,
  headers: Record<string, string> = {},
): Promise<Answer> {
  const sent = body === undefined || typeof body === 'string' ? body : JSON.stringify(body);
  const answer = await fetch(origin + path, {
    method,
    headers: { ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
    ...(sent === undefined ? {} : { body: sent }),
  });
  const text = await answer.text();
  await requireDocumentedAnswer(origin, {
    method,
    target: path,
    ...(sent === undefined ? {} : { requestBody: sent }),
    status: answer.status,
    headers: answer.headers,
    body: text,
  });
  const json = /[/+]json\b/.test(answer.headers.get('content-type') ?? '');
  return { status: answer.status, headers: answer.headers, body: json ? JSON.parse(text) : text };
}

/** Registers and fails loudly when that is refused. */
export async function register(
  control: string,
  service: string,
  port: number,
  extra: Record<string, unknown> = {},
): Promise<string> {
  const answer = await call(control, 'POST', '/register', {
    service,
    address: '127.0.0.1',
    port,
    lease: 'none',
    ...extra,
  });
  if (answer.status >= 300) throw new Error(`${answer.status} ${JSON.stringify(answer.body)}`);
  return answer.body.instance.id;
}
