import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import {
  type ClientHttp2Session,
  connect as connectHttp2,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
} from 'node:http2';
import { connect as connectTcp } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { TestAuthority } from '@portolan/testing/certificates/test-authority';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { type PortolanProcess, startPortolan } from '../support/portolan-process.ts';
import { call, register } from '../support/registry-api.ts';
import { startUpstream, type UpstreamService } from '../support/upstream-service.ts';

let folder: string;
let authority: TestAuthority;
let portolan: PortolanProcess;
let httpsPort: number;
const upstreams: UpstreamService[] = [];
const sessions: ClientHttp2Session[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'portolan-http2-'));
  authority = await TestAuthority.create();
  const { certPem, keyPem } = await authority.issue({ names: ['web.example'] });
  await writeFile(join(folder, 'web.crt'), certPem);
  await writeFile(join(folder, 'web.key'), keyPem);
  const lines = [
    'gateway:',
    '  listeners:',
    '    - name: public',
    '      protocol: https',
    '      listen: "127.0.0.1:0"',
    `      certificates: [{certFile: ${folder}/web.crt, keyFile: ${folder}/web.key}]`,
  ];
  await writeFile(join(folder, 'portolan.yaml'), `${lines.join('\n')}\n`);
  portolan = await startPortolan({ dataDir: join(folder, 'data'), cwd: folder });
  const { body } = await call(portolan.control, 'GET', '/api/v1/status');
  httpsPort = Number(new URL(body.listeners.more.public).port);
  for (const name of ['a', 'b']) {
    const upstream = await startUpstream(name);
    upstreams.push(upstream);
    await register(portolan.control, 'web', upstream.port);
  }
});

afterAll(async () => {
  for (const session of sessions) session.destroy();
  for (const upstream of upstreams) await upstream.stop('SIGKILL');
  await portolan?.dispose();
  await rm(folder, { recursive: true });
});

function dial(secure = false): ClientHttp2Session {
  const origin = secure ? `https://127.0.0.1:${httpsPort}` : portolan.gateway;
  const options = secure
    ? { ca: authority.certPem, servername: 'web.example', maxSessionMemory: 100 }
    : {};
  const session = connectHttp2(origin, options);
  session.on('error', () => undefined);
  sessions.push(session);
  return session;
}

interface Answered {
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
  readonly code: number;
}

function ask(
  session: ClientHttp2Session,
  path: string,
  body?: Buffer,
  fields: OutgoingHttpHeaders = {},
): Promise<Answered> {
  const method = body === undefined ? 'GET' : 'POST';
  const stream = session.request({
    ':path': path,
    ':method': method,
    ':authority': 'test.example',
    ...fields,
  });
  let headers: IncomingHttpHeaders = {};
  const pieces: Buffer[] = [];
  stream.on('response', (head) => {
    headers = head;
  });
  stream.on('data', (piece: Buffer) => pieces.push(piece));
  stream.on('error', () => undefined);
  stream.end(body);
  return new Promise((resolve) =>
    stream.on('close', () =>
      resolve({ headers, body: Buffer.concat(pieces), code: stream.rstCode }),
    ),
  );
}

const gatewayPort = (): number => Number(new URL(portolan.gateway).port);

test.each([
  ['by prior knowledge', false],
  ['by ALPN', true],
])('a client that speaks HTTP/2 %s is served', async (_how, secure) => {
  const session = dial(secure);
  const { headers, body } = await ask(session, '/web/x?y=1');
  expect([headers[':status'], body.toString()]).toEqual([200, expect.stringMatching(/^[ab] \/x/)]);
  const { raw } = JSON.parse((await ask(session, '/web/headers')).body.toString());
  const fields = new Map<string, string>();
  for (let at = 0; at < raw.length; at += 2) fields.set(raw[at].toLowerCase(), raw[at + 1]);
  expect(fields.get('via')).toBe('2.0 portolan');
  expect(fields.get('x-forwarded-proto')).toBe(secure ? 'https' : 'http');
  expect(fields.get('host')).toBe('test.example');
  if (secure) expect(session.alpnProtocol).toBe('h2');
});

test('its requests are spread over the instances one by one', async () => {
  const session = dial();
  const answers = await Promise.all(Array.from({ length: 40 }, () => ask(session, '/web/')));
  const served = answers.map(({ headers }) => headers['x-served-by']);
  expect([...new Set(served)].sort()).toEqual(['a', 'b']);
  expect(served.filter((name) => name === 'a')).toHaveLength(20);
});

test('large bodies pass both ways, many at a time, unchanged', async () => {
  const session = dial(true);
  const sent = Array.from({ length: 8 }, (_, at) => Buffer.alloc(1_500_000 + at, 97 + at));
  const got = await Promise.all(sent.map((body) => ask(session, '/web/echo', body)));
  for (const [at, { body, code }] of got.entries()) {
    expect(code).toBe(0);
    expect(body.equals(sent[at] ?? Buffer.alloc(0))).toBe(true);
  }
});

test('HTTP/1.1 goes on beside it on the same ports', async () => {
  const answer = await fetch(`${portolan.gateway}/web/`);
  expect(answer.status).toBe(200);
});

test('a flood of resets ends its connection, and nobody else’s', async () => {
  const other = dial();
  await ask(other, '/web/');
  const socket = connectTcp(gatewayPort(), '127.0.0.1');
  socket.on('error', () => undefined);
  socket.resume();
  socket.write('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1');
  socket.write(Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]));
  const closed = new Promise<void>((resolve) => socket.on('close', () => resolve()));
  let open = true;
  void closed.then(() => {
    open = false;
  });
  for (let at = 0; at < 100_000 && open; at += 100) {
    socket.write(Buffer.concat(Array.from({ length: 100 }, (_, more) => opened(at + more))));
    expect((await ask(other, '/web/')).headers[':status']).toBe(200);
  }
  await closed;
  expect((await ask(other, '/web/')).headers[':status']).toBe(200);
});

/** A request for `/` and its reset. */
function opened(index: number): Buffer {
  const request = Buffer.from([0, 0, 6, 1, 5, 0, 0, 0, 0, 0x82, 0x86, 0x84, 0x41, 1, 0x61]);
  const reset = Buffer.from([0, 0, 4, 3, 0, 0, 0, 0, 0, 0, 0, 0, 8]);
  request.writeUInt32BE(2 * index + 1, 5);
  reset.writeUInt32BE(2 * index + 1, 5);
  return Buffer.concat([request, reset]);
}

test('what is under way when the gateway stops is finished', async () => {
  const mine = await startPortolan();
  const upstream = upstreams[0];
  await register(mine.control, 'web', upstream?.port ?? 0);
  const session = connectHttp2(mine.gateway);
  session.on('error', () => undefined);
  sessions.push(session);
  const slow = ask(session, '/web/?delayMs=1500');
  await eventually(async () => {
    const metrics = await (await fetch(`${mine.control}/metrics`)).text();
    return metrics.includes('portolan_gateway_active_requests 1\n') ? true : undefined;
  });
  mine.child.kill('SIGTERM');
  const { headers, code } = await slow;
  expect([headers[':status'], code]).toEqual([200, 0]);
  await mine.dispose();
});

test('it can be switched off', async () => {
  const mine = await startPortolan({ env: { PORTOLAN_GATEWAY_HTTP2: 'false' } });
  const session = connectHttp2(mine.gateway);
  const error = await new Promise<Error>((resolve) => session.on('error', resolve));
  expect(error.message).toMatch(/protocol error|closed|ECONNRESET/i);
  expect((await fetch(`${mine.gateway}/nothing`)).status).toBe(404);
  await mine.dispose();
});
