import type { AddressInfo } from 'node:net';
import { connect, createServer, type Server } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type PortolanProcess, startPortolan } from '../support/portolan-process.ts';
import { register } from '../support/registry-api.ts';

let portolan: PortolanProcess;
let upstream: Server;
/** Every byte that reached the service behind the gateway. */
let reached = '';

beforeAll(async () => {
  portolan = await startPortolan();
  upstream = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.on('data', (bytes) => {
      reached += bytes.toString('latin1');
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
    });
  });
  await new Promise<void>((resolve) => upstream.listen(0, '127.0.0.1', resolve));
  await register(portolan.control, 'victim', (upstream.address() as AddressInfo).port);
});

afterAll(async () => {
  await portolan?.dispose();
  upstream?.close();
});

/** Sends raw bytes and resolves with everything that came back until the peer closed (or `quietMs` passed). */
function send(
  origin: string,
  bytes: string,
  quietMs = 1_500,
): Promise<{ text: string; closed: boolean }> {
  const { hostname, port } = new URL(origin);
  return new Promise((resolve) => {
    const socket = connect({ host: hostname, port: Number(port) });
    let text = '';
    const timer = setTimeout(() => {
      socket.destroy();
      resolve({ text, closed: false });
    }, quietMs);
    socket.on('data', (part) => {
      text += part.toString('latin1');
    });
    socket.on('error', () => undefined);
    socket.on('close', () => {
      clearTimeout(timer);
      resolve({ text, closed: true });
    });
    socket.write(bytes, 'latin1');
  });
}

const SMUGGLED = 'GET /admin HTTP/1.1\r\nHost: victim.local\r\n\r\n';
const head = (lines: string, method = 'POST', target = '/victim/'): string =>
  `${method} ${target} HTTP/1.1\r\n${lines}\r\n\r\n`;
const host = 'Host: victim.local';

const REFUSED: readonly [what: string, bytes: string, status: number][] = [
  [
    'Content-Length with Transfer-Encoding',
    `${head(`${host}\r\nContent-Length: 4\r\nTransfer-Encoding: chunked`)}0\r\n\r\n${SMUGGLED}`,
    400,
  ],
  [
    'two equal Content-Lengths',
    head(`${host}\r\nContent-Length: 0\r\nContent-Length: 0`) + SMUGGLED,
    400,
  ],
  [
    'two different Content-Lengths',
    head(`${host}\r\nContent-Length: 0\r\nContent-Length: 44`) + SMUGGLED,
    400,
  ],
  ['a list in Content-Length', `${head(`${host}\r\nContent-Length: 2, 2`)}ab`, 400],
  ['a signed Content-Length', `${head(`${host}\r\nContent-Length: +2`)}ab`, 400],
  ['an empty Content-Length', head(`${host}\r\nContent-Length:`), 400],
  ['xchunked', head(`${host}\r\nTransfer-Encoding: xchunked`), 501],
  ['",chunked"', head(`${host}\r\nTransfer-Encoding: ,chunked`), 501],
  ['gzip, chunked', head(`${host}\r\nTransfer-Encoding: gzip, chunked`), 501],
  ['chunked, identity', head(`${host}\r\nTransfer-Encoding: chunked, identity`), 501],
  [
    'Transfer-Encoding in HTTP/1.0',
    `POST /victim/ HTTP/1.0\r\n${host}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
    400,
  ],
  ['a space before the colon', head(`${host}\r\nContent-Length : 0`), 400],
  ['obs-fold', head(`${host}\r\nX-A: 1\r\n 2`), 400],
  [
    'a leading space before the first field',
    `GET /victim/ HTTP/1.1\r\n X: 1\r\n${host}\r\n\r\n`,
    400,
  ],
  ['a bare LF', `GET /victim/ HTTP/1.1\n${host}\n\n`, 400],
  ['a bare CR', head(`${host}\r\nX-A: 1\rX-B: 2`, 'GET'), 400],
  ['NUL', head(`${host}\r\nX-A: 1\0`, 'GET'), 400],
  ['an empty field name', head(`${host}\r\n: x`, 'GET'), 400],
  ['no Host', head('X-A: 1', 'GET'), 400],
  ['two Hosts', head(`${host}\r\nHost: other`, 'GET'), 400],
  ['a Host with a path', head('Host: a/b c', 'GET'), 400],
  ['a Host with user information', head('Host: u@a', 'GET'), 400],
  ['HTTP/0.9', 'GET /victim/\r\n\r\n', 400],
  ['HTTP/2.0 in text', `GET /victim/ HTTP/2.0\r\n${host}\r\n\r\n`, 505],
  ['a fragment in the target', head(host, 'GET', '/victim/a#b'), 400],
  ['a backslash in the target', head(host, 'GET', '/victim/a\\b'), 400],
  ['an encoded NUL in the target', head(`${host}\r\nConnection: close`, 'GET', '/victim/%00'), 400],
  ['CONNECT', `CONNECT victim.local:80 HTTP/1.1\r\n${host}\r\n\r\n`, 501],
  [
    'Connection naming Authorization',
    head(`${host}\r\nConnection: close, authorization`, 'GET'),
    400,
  ],
  ['Connection naming X-Forwarded-For', head(`${host}\r\nConnection: x-forwarded-for`, 'GET'), 400],
  ['chunk size 0x2', `${head(`${host}\r\nTransfer-Encoding: chunked`)}0x2\r\nab\r\n0\r\n\r\n`, 400],
  ['chunk size +2', `${head(`${host}\r\nTransfer-Encoding: chunked`)}+2\r\nab\r\n0\r\n\r\n`, 400],
  [
    'chunk size overflow',
    `${head(`${host}\r\nTransfer-Encoding: chunked`)}fffffffffffffffff\r\nab\r\n`,
    400,
  ],
  ['bare LF in a chunk line', `${head(`${host}\r\nTransfer-Encoding: chunked`)}2\nab\n0\n\n`, 400],
  [
    'a very long chunk extension',
    `${head(`${host}\r\nTransfer-Encoding: chunked`)}2;${'x'.repeat(70_000)}\r\nab\r\n0\r\n\r\n`,
    413,
  ],
  [
    'an upgrade with a body',
    `${head(`${host}\r\nConnection: upgrade\r\nUpgrade: websocket\r\nContent-Length: 2`)}ab`,
    400,
  ],
  [
    'a thousand fields hiding a body',
    head(
      `${host}\r\n${Array.from({ length: 1_100 }, (_, n) => `x-${n}: 1`).join('\r\n')}\r\nContent-Length: ${SMUGGLED.length}`,
      'GET',
    ) + SMUGGLED,
    431,
  ],
  ['a head of 100 KiB', head(`${host}\r\nX-A: ${'a'.repeat(100_000)}`, 'GET'), 431],
];

describe('the gateway refuses, closes, and lets nothing through', () => {
  test.each(REFUSED)('%s', async (_what, bytes, status) => {
    reached = '';
    const { text, closed } = await send(portolan.gateway, bytes);
    expect(Number(text.slice(9, 12)), text.slice(0, 300)).toBe(status);
    expect(text.match(/HTTP\/1\.1 \d{3} /g)).toHaveLength(1);
    expect(text).toContain('"code"');
    expect(closed).toBe(true);
    expect(reached).not.toContain('/admin');
  });

  test('underscore aliases and forwarded fields of strangers do not reach the service', async () => {
    reached = '';
    await send(
      portolan.gateway,
      head(
        `${host}\r\nX_Forwarded_For: 6.6.6.6\r\nX-Forwarded-For: 6.6.6.6\r\nForwarded: for=6.6.6.6\r\nX-Real-IP: 6.6.6.6\r\nConnection: close`,
        'GET',
      ),
    );
    expect(reached).toContain('GET /victim/ HTTP/1.1');
    expect(reached).not.toContain('6.6.6.6');
    expect(reached.toLowerCase()).toContain('x-forwarded-for: 127.0.0.1');
  });

  test('dot segments cannot leave the service they name', async () => {
    reached = '';
    const { text } = await send(
      portolan.gateway,
      head('Host: localhost\r\nConnection: close', 'GET', '/victim/%2e%2e/%2e%2e/admin'),
    );
    expect(reached).not.toContain('..');
    expect(Number(text.slice(9, 12))).not.toBe(200);
  });

  test('a surplus answer of a service never answers the next request', async () => {
    const poisoner = createServer((socket) => {
      socket.on('error', () => undefined);
      socket.on('data', () => {
        const answer = (body: string): string =>
          `HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
        socket.write(answer('GOOD') + answer('EVIL'));
      });
    });
    await new Promise<void>((resolve) => poisoner.listen(0, '127.0.0.1', resolve));
    await register(portolan.control, 'poisoner', (poisoner.address() as AddressInfo).port);
    for (let at = 0; at < 20; at++) {
      const reply = await fetch(`${portolan.gateway}/poisoner/`);
      expect(await reply.text()).toBe('GOOD');
    }
    poisoner.close();
  });

  test('an answer of 200 to an upgrade is not a tunnel', async () => {
    reached = '';
    const { text } = await send(
      portolan.gateway,
      head(`${host}\r\nConnection: Upgrade\r\nUpgrade: websocket`, 'GET') + SMUGGLED,
    );
    expect(text).toContain('HTTP/1.1 200');
    expect(reached).not.toContain('GET /admin HTTP/1.1\r\nHost: victim.local\r\n\r\n');
  });
});

describe('the control port keeps the same rules', () => {
  test.each(REFUSED.slice(0, 12))('%s', async (_what, bytes, status) => {
    const { text, closed } = await send(portolan.control, bytes);
    expect(Number(text.slice(9, 12)), text.slice(0, 300)).toBe(status);
    expect(closed).toBe(true);
  });

  test('a page of another origin cannot write', async () => {
    const reply = await fetch(`${portolan.control}/register`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', origin: 'https://evil.example' },
      body: JSON.stringify({ service: 'x', address: '127.0.0.1', port: 1 }),
    });
    expect(reply.status).toBe(403);
  });

  test('a foreign host name, as DNS rebinding has it, is refused', async () => {
    const { text } = await send(
      portolan.control,
      'GET /api/v1/services HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n',
    );
    expect(Number(text.slice(9, 12))).toBe(403);
  });
});
