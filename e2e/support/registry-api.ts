/** A thin, honest caller of the native API: whatever the server says comes back as it is. */
export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  // biome-ignore lint/suspicious/noExplicitAny: tests look at the wire, whatever it holds
  readonly body: any;
}

export async function call(
  origin: string,
  method: string,
  path: string,
  body?: unknown,
  headers: Record<string, string> = {},
): Promise<Answer> {
  const answer = await fetch(origin + path, {
    method,
    headers: { ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  });
  const text = await answer.text();
  const json = /json/.test(answer.headers.get('content-type') ?? '');
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
