import { afterAll, beforeAll, expect, test } from 'vitest';
import { type CheckingProxy, startCheckingProxy } from '../support/checking-proxy.ts';
import { eventually } from '../support/eventually.ts';
import { type PortolanProcess, startPortolan } from '../support/portolan-process.ts';
import { call, register } from '../support/registry-api.ts';

let portolan: PortolanProcess;
/** What watchers read from: every answer and every event is checked against the API document. */
let checked: CheckingProxy;
beforeAll(async () => {
  portolan = await startPortolan();
  checked = await startCheckingProxy(portolan.control);
});
afterAll(async () => {
  await portolan?.dispose();
  await checked?.close();
});

test('a long poll answers at the change of its service, and at no other', async () => {
  await register(portolan.control, 'polled', 1);
  const path = '/api/v1/services/polled/instances';
  const { body: first } = await call(portolan.control, 'GET', path);
  let answered = false;
  const poll = call(checked.origin, 'GET', `${path}?index=${first.revision}&wait=20s`).then(
    (reply) => {
      answered = true;
      return reply;
    },
  );
  for (let at = 0; at < 20; at++) await register(portolan.control, 'other', 100 + at);
  expect(answered).toBe(false);
  await register(portolan.control, 'polled', 2);
  const reply = await poll;
  expect(reply.body.revision).toBeGreaterThan(first.revision);
  expect(reply.body.instances).toHaveLength(2);
});

test('a long poll without a change answers with the present view when its time is over', async () => {
  await register(portolan.control, 'quiet', 1);
  const path = '/api/v1/services/quiet/instances';
  const { body: first } = await call(portolan.control, 'GET', path);
  const { body: again } = await call(
    portolan.control,
    'GET',
    `${path}?index=${first.revision}&wait=300ms`,
  );
  expect(again).toEqual(first);
});

test('an event stream resumes where it was, with every change exactly once and in order', async () => {
  const ids: number[] = [];
  const read = async (from: string, until: () => boolean): Promise<string> => {
    const abort = new AbortController();
    const reply = await fetch(`${checked.origin}/api/v1/events?service=streamed`, {
      headers: { accept: 'text/event-stream', 'last-event-id': from },
      signal: abort.signal,
    });
    const reader = reply.body?.pipeThrough(new TextDecoderStream()).getReader();
    let text = '';
    let last = from;
    while (!until()) {
      const part = await reader?.read();
      if (!part || part.done) break;
      text += part.value;
      for (let at = text.indexOf('\n\n'); at >= 0; at = text.indexOf('\n\n')) {
        const block = text.slice(0, at);
        text = text.slice(at + 2);
        const id = /^id: ?(\d+)/m.exec(block)?.[1];
        if (id && /^data:/m.test(block)) {
          ids.push(Number(id));
          last = id;
        }
        if (until()) break;
      }
    }
    abort.abort();
    return last;
  };
  const { body } = await call(portolan.control, 'GET', '/api/v1/services');
  const writing = (async () => {
    const revisions: number[] = [];
    for (let at = 0; at < 60; at++) {
      const reply = await call(portolan.control, 'POST', '/register', {
        service: 'streamed',
        address: '127.0.0.1',
        port: 1000 + at,
        lease: 'none',
      });
      revisions.push(reply.body.revision);
    }
    return revisions;
  })();
  const at = await read(String(body.revision), () => ids.length >= 20);
  const written = await writing;
  await read(at, () => ids.length >= 60);
  expect(ids).toEqual(written);
  const told = checked.seen.filter((each) => each === 'event instance-registered /api/v1/events');
  expect(told.length).toBeGreaterThanOrEqual(60);
});

test('the article’s three shapes are accepted as they are', async () => {
  const own = await startPortolan({
    args: ['--set', 'network.allow=["172.16.0.0/12","192.168.0.0/16"]'],
  });
  const shapes = [
    {
      service: 'user-service',
      id: 'user-service-1',
      address: '172.18.0.12',
      port: 8080,
      tags: ['version:v1', 'region:us'],
      check: { http: 'http://172.18.0.12:8080/health', interval: '10s' },
    },
    {
      serviceName: 'user-service',
      ip: '192.168.1.10',
      port: 8080,
      status: 'UP',
      metadata: { version: 'v1.0' },
    },
    { service: 'user-service', ip: '192.168.0.1', port: 8080, ttl: 30 },
  ];
  for (const shape of shapes) {
    const reply = await call(own.control, 'POST', '/register', shape);
    expect([reply.status, reply.body.code]).toEqual([201, undefined]);
  }
  const { body } = await call(own.control, 'GET', '/api/v1/services/user-service/instances');
  expect(body.instances.map((i: { id: string }) => i.id).sort()).toEqual([
    'user-service-1',
    'user-service-192.168.0.1-8080',
    'user-service-192.168.1.10-8080',
  ]);
  await own.dispose();
});

test('bad input names the field, and changes nothing', async () => {
  const before = (await call(portolan.control, 'GET', '/api/v1/services')).body.revision;
  const bad: [unknown, string][] = [
    [{ service: 'a', address: '127.0.0.1', port: 70_000 }, '$.port'],
    [{ service: 'a', address: '127.0.0.1', port: '80' }, '$.port'],
    [{ service: 'a b', address: '127.0.0.1', port: 80 }, '$.service'],
    [{ service: 'a', address: '127.0.0.1', port: 80, prot: 1 }, '$.prot'],
    [
      { service: 'a', address: '127.0.0.1', port: 80, metadata: { k: 'x'.repeat(600) } },
      '$.metadata',
    ],
    [{ service: 'a', address: '0.0.0.0', port: 80 }, '$.address'],
    [
      {
        service: 'a',
        address: '127.0.0.1',
        port: 80,
        check: { http: 'http://127.0.0.1/', interval: 'soon' },
      },
      '$.check.interval',
    ],
  ];
  for (const [body, path] of bad) {
    const reply = await call(portolan.control, 'POST', '/register', body);
    expect(reply.headers.get('content-type'), path).toContain('application/problem+json');
    expect(reply.status, path).toBeGreaterThanOrEqual(400);
    expect(JSON.stringify(reply.body.errors), path).toContain(path);
  }
  const raw: [string, string][] = [
    ['{"service":"a"', 'BODY_MALFORMED'],
    ['{"__proto__":{"x":1},"service":"a","address":"127.0.0.1","port":80}', 'BODY_FORBIDDEN_KEY'],
    ['['.repeat(5_000), 'BODY_TOO_DEEP'],
    [JSON.stringify({ service: 'a'.repeat(200_000) }), 'BODY_TOO_LARGE'],
  ];
  for (const [body, code] of raw) {
    const reply = await call(portolan.control, 'POST', '/register', body);
    expect(reply.body.code).toBe(code);
  }
  const script = await call(portolan.control, 'POST', '/register', {
    service: 'a',
    address: '127.0.0.1',
    port: 80,
    check: { script: 'id', interval: '10s' },
  });
  expect([script.status, script.body.code]).toEqual([403, 'SCRIPT_CHECK_FORBIDDEN']);
  expect((await call(portolan.control, 'GET', '/api/v1/services')).body.revision).toBe(before);
});

test('a webhook is called, signed, retried, and its failures are listed', async () => {
  const { createHmac } = await import('node:crypto');
  const { createServer } = await import('node:http');
  const calls: { signature: string; body: string }[] = [];
  let refuse = 1;
  const receiver = createServer(async (request, reply) => {
    let body = '';
    for await (const part of request) body += part;
    calls.push({ signature: String(request.headers['x-portolan-signature']), body });
    reply.statusCode = refuse-- > 0 ? 500 : 204;
    reply.end();
  });
  await new Promise<void>((resolve) => receiver.listen(0, '127.0.0.1', resolve));
  const { port } = receiver.address() as { port: number };
  const secret = 'a-secret-of-some-length';
  const made = await call(portolan.control, 'POST', '/api/v1/webhooks', {
    url: `http://127.0.0.1:${port}/hook`,
    secret,
    service: 'hooked',
  });
  expect(made.status).toBe(201);
  expect(JSON.stringify(made.body)).not.toContain(secret);
  await register(portolan.control, 'hooked', 1);
  await eventually(() => calls.length >= 2 || undefined, 20_000);
  const last = calls.at(-1);
  const t = /t=(\d+)/.exec(last?.signature ?? '')?.[1];
  const v1 = /v1=([0-9a-f]+)/.exec(last?.signature ?? '')?.[1];
  expect(v1).toBe(createHmac('sha256', secret).update(`${t}.${last?.body}`).digest('hex'));
  receiver.close();
  receiver.closeAllConnections();
});
