import { connect } from 'node:net';
import { systemClock } from '@portolan/client';
import {
  type ControlRequest,
  type HttpProtocolAdapter,
  type HttpRoute,
  isRegistryError,
  NO_LOGGER,
  NO_METRICS,
} from '@portolan/core';
import { seededRandom } from '@portolan/testing';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type ControlListener, createControlListener } from './control-listener.ts';

let listener: ControlListener;
let base: string;
let port: number;
let streamEnded: Promise<string>;

const json = { 'content-type': 'application/json' };

function adapter(routes: readonly HttpRoute[]): HttpProtocolAdapter {
  return {
    transport: 'http',
    name: 'test',
    prefixes: ['/'],
    routes,
    renderError: (error, { requestId }) => ({
      status: isRegistryError(error) ? error.row.http : 500,
      headers: json,
      body: JSON.stringify({ code: isRegistryError(error) ? error.code : 'INTERNAL', requestId }),
    }),
  };
}

const text = (request: ControlRequest) => new TextDecoder().decode(request.body);

beforeEach(async () => {
  const { promise, resolve: endStream } = Promise.withResolvers<string>();
  streamEnded = promise;
  listener = createControlListener(
    { name: 'control', limits: { halfCloseTimeoutMs: 50 }, allowedHosts: [] },
    { clock: systemClock, random: seededRandom(1), logger: NO_LOGGER, metrics: NO_METRICS },
  );
  listener.mount([
    adapter([
      {
        method: 'GET',
        path: '/hello/:name',
        handle: (request, { name }) => ({
          status: 200,
          headers: json,
          body: JSON.stringify({ name, q: request.query.get('q') }),
        }),
      },
      {
        method: 'POST',
        path: '/echo',
        bodyLimitBytes: 100,
        handle: async (request) => ({ status: 201, headers: {}, body: text(request) }),
      },
      { method: 'GET', path: '/fault', handle: () => Promise.reject(new Error('secret')) },
      {
        method: 'GET',
        path: '/stream',
        handle: (request) => ({
          status: 200,
          headers: {},
          body: (async function* () {
            try {
              yield 'first\n';
              await new Promise((resolve) => request.signal.addEventListener('abort', resolve));
              yield 'last\n';
            } finally {
              endStream('ended');
            }
          })(),
        }),
      },
    ]),
  ]);
  ({ port } = await listener.listen({ host: '127.0.0.1', port: 0 }));
  base = `http://127.0.0.1:${port}`;
});

afterEach(() => listener.close(100));

it('hands query and parameters over', async () => {
  const reply = await fetch(`${base}/hello/a%2Fb?q=1%202`);
  expect(await reply.json()).toEqual({ name: 'a/b', q: '1 2' });
  expect(reply.headers.get('x-request-id')).toMatch(/^[0-9a-z]+-1$/);
});

it('answers a request that breaks HTTP with a whole problem document under an id of its own', async () => {
  const broken = await raw('GET /hello/x HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n');
  const target = await raw(
    'GET /hello/%00 HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX-Request-Id: mine\r\n\r\n',
  );
  const problemIn = (reply: string) => JSON.parse(reply.slice(reply.indexOf('\r\n\r\n')));
  const { instance, ...problem } = problemIn(broken);
  expect(problem).toEqual({
    type: 'urn:portolan:protocol-error:HOST_DUPLICATE',
    title: 'There is more than one Host header',
    status: 400,
    detail: 'There is more than one Host header.',
    code: 'HOST_DUPLICATE',
    retryable: false,
    errors: [],
  });
  expect(broken.toLowerCase()).toContain(`x-request-id: ${instance}\r\n`);
  expect(problemIn(target).instance).toBe('mine');
});

it('answers HEAD as GET without the body', async () => {
  const reply = await fetch(`${base}/hello/x`, { method: 'HEAD' });
  expect(reply.status).toBe(200);
  expect(Number(reply.headers.get('content-length'))).toBeGreaterThan(0);
  expect(await reply.text()).toBe('');
});

it('reads a body up to the limit of its route', async () => {
  const reply = await fetch(`${base}/echo`, { method: 'POST', body: 'x'.repeat(100) });
  expect([reply.status, (await reply.text()).length]).toEqual([201, 100]);
});

it.each([
  ['announced', 'x'.repeat(101)],
  ['chunked', new Blob(['x'.repeat(101)]).stream()],
])('refuses a longer body that comes %s', async (_how, body) => {
  const reply = await fetch(`${base}/echo`, { method: 'POST', body, duplex: 'half' } as never);
  expect([reply.status, await reply.json()]).toMatchObject([413, { code: 'BODY_TOO_LARGE' }]);
});

it('says 404, and 405 with the methods allowed', async () => {
  expect((await fetch(`${base}/nothing`)).status).toBe(404);
  const reply = await fetch(`${base}/echo`, { method: 'DELETE' });
  expect([reply.status, reply.headers.get('allow')]).toEqual([405, 'POST']);
});

it('hides the text of a fault of ours behind the request id', async () => {
  const reply = await fetch(`${base}/fault`, { headers: { 'x-request-id': 'mine-7' } });
  expect([reply.status, await reply.json()]).toEqual([
    500,
    { code: 'INTERNAL', requestId: 'mine-7' },
  ]);
});

it('takes no request id that could forge a log line', async () => {
  const reply = await fetch(`${base}/nothing`, { headers: { 'x-request-id': 'a b "c"' } });
  expect(reply.headers.get('x-request-id')).not.toContain('"');
});

it('answers a request that breaks HTTP with a problem document', async () => {
  const reply = await raw('GET /a%zz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n');
  expect(reply).toMatch(/^HTTP\/1\.1 400 /);
  expect(reply).toContain('"code":"TARGET_ENCODING_INVALID"');
});

it('does not answer under a rebound name', async () => {
  const reply = await raw(
    'GET /hello/x HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n',
  );
  expect(reply).toMatch(/^HTTP\/1\.1 403 /);
});

describe('with too much to do', () => {
  let busy: ControlListener;
  let origin: string;
  let release: () => void;

  beforeEach(async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    release = resolve;
    const ok = { status: 200, headers: {} };
    busy = createControlListener(
      {
        name: 'busy',
        limits: {},
        allowedHosts: [],
        overload: { requests: 1, bytes: 1_000_000, lagMs: 0 },
      },
      { clock: systemClock, random: seededRandom(1), logger: NO_LOGGER, metrics: NO_METRICS },
    );
    busy.mount([
      adapter([
        { method: 'POST', path: '/write', handle: () => promise.then(() => ok) },
        { method: 'GET', path: '/read', handle: () => ok },
        { method: 'PUT', path: '/beat', admission: 'heartbeat', handle: () => ok },
        { method: 'GET', path: '/live', admission: 'essential', handle: () => ok },
      ]),
    ]);
    const bound = await busy.listen({ host: '127.0.0.1', port: 0 });
    origin = `http://127.0.0.1:${bound.port}`;
  });
  afterEach(() => busy.close(100));

  const status = async (method: string, path: string, init: RequestInit = {}) =>
    (await fetch(origin + path, { method, ...init })).status;
  const all = async () => [
    await status('GET', '/read'),
    await status('POST', '/write', { body: '{}' }),
    await status('PUT', '/beat'),
    await status('GET', '/live'),
    await status('GET', '/nothing'),
  ];

  it('refuses reads and writes before anything is done, and takes heartbeats', async () => {
    const writes = Array.from({ length: 5 }, (_, at) =>
      status('POST', '/write', at === 0 ? {} : { body: 'x' }),
    );
    await expect.poll(() => busy.pressure).toBeGreaterThanOrEqual(2);
    // Some of the five may be refused already; what is admitted waits.
    while (busy.pressure < 4) {
      writes.push(status('POST', '/write'));
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(await all()).toEqual([429, 429, 200, 200, 429]);
    release();
    expect((await Promise.all(writes)).every((each) => each === 200 || each === 429)).toBe(true);
    expect(busy.pressure).toBe(0);
    expect(await all()).toEqual([200, 200, 200, 200, 404]);
  });

  it('counts no request that is not whole, and none that its client gave up', async () => {
    const port = Number(new URL(origin).port);
    const head = 'POST /write HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n';
    const half = connect(port, '127.0.0.1').on('error', () => undefined);
    half.write(`${head}12345`);
    await expect.poll(() => busy.connections).toBe(1);
    expect(await status('GET', '/read')).toBe(200);
    expect(busy.pressure).toBe(0);
    half.write('67890');
    await expect.poll(() => busy.pressure).toBe(1);
    half.destroy();
    release();
    await expect.poll(() => busy.pressure).toBe(0);
  });
});

describe('a route with another protocol', () => {
  const said: string[] = [];
  const upgraded: HttpRoute = {
    method: 'GET',
    path: '/other',
    handle: () => ({ status: 426, headers: { upgrade: 'echo/1' } }),
    upgrade: {
      protocols: ['echo/1', 'echo/2'],
      begin(connection, protocol) {
        connection.write(new TextEncoder().encode(`${protocol} `));
        connection.start({
          onData: (piece) => void connection.write(piece),
          onDrain: () => undefined,
          onEnd: () => connection.end(),
          onClosed: () => said.push('closed'),
        });
        connection.resume();
      },
    },
  };
  const ask = (fields: string, rest = '') =>
    raw(`GET /other HTTP/1.1\r\nHost: localhost\r\n${fields}\r\n${rest}`);
  beforeEach(() => {
    said.length = 0;
    listener.mount([adapter([upgraded])]);
  });

  it('is begun in the version that the client prefers of those it speaks, with what came early', async () => {
    const reply = await ask('Connection: Upgrade\r\nUpgrade: echo/9, echo/2, echo/1\r\n', 'early');
    expect(reply).toMatch(/^HTTP\/1\.1 101 /);
    expect(reply.toLowerCase()).toContain('upgrade: echo/2\r\n');
    expect(reply.slice(reply.indexOf('\r\n\r\n') + 4)).toBe('echo/2 early');
    await expect.poll(() => said).toEqual(['closed']);
  });

  it.each([
    ['nothing', ''],
    ['a version it does not speak', 'Upgrade: echo/9\r\nConnection: close, upgrade\r\n'],
    ['a field that no Connection names', 'Upgrade: echo/1\r\n'],
  ])('is told how to ask by whoever asks with %s', async (_what, fields) => {
    const reply = await ask(
      fields.includes('Connection') ? fields : `${fields}Connection: close\r\n`,
    );
    expect(reply).toMatch(/^HTTP\/1\.1 426 /);
  });

  it('is not begun for a page of another origin', async () => {
    const reply = await ask(
      'Connection: Upgrade, close\r\nUpgrade: echo/1\r\nOrigin: http://evil.example\r\n',
    );
    expect(reply).toMatch(/^HTTP\/1\.1 403 /);
  });
});

describe('a stream', () => {
  it('ends when the client goes away', async () => {
    const client = new AbortController();
    const reply = await fetch(`${base}/stream`, { signal: client.signal });
    await reply.body?.getReader().read();
    client.abort();
    expect(await streamEnded).toBe('ended');
  });

  it('is told of a shutdown and may say a last word', async () => {
    const reply = await fetch(`${base}/stream`);
    const reader = reply.body?.getReader();
    await reader?.read();
    const closed = listener.close(5_000);
    expect(new TextDecoder().decode((await reader?.read())?.value)).toBe('last\n');
    await closed;
  });
});

function raw(request: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let reply = '';
    connect(port, '127.0.0.1')
      .on('data', (data) => (reply += data.toString('latin1')))
      .on('end', () => resolve(reply))
      .on('error', reject)
      .end(request);
  });
}
