import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer as createHttpServer } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Server as GrpcServer, status as grpcStatus, ServerCredentials } from '@grpc/grpc-js';
import type {
  Clock,
  GrpcProbeConfig,
  HttpProbeConfig,
  Registration,
  ScriptProbeConfig,
  TcpProbeConfig,
} from '@portolan/core';
import { createAddressPolicy } from '@portolan/core';
import { probeContract } from '@portolan/testing/contracts/probe-contract';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createProbes } from './create-probes.ts';
import { fromHealthCheckResponse } from './grpc-health-message.ts';
import { createGrpcProbe } from './grpc-probe.ts';
import { createHttpProbe } from './http-probe.ts';
import type { ProbeDeps } from './probe-deps.ts';
import { createScriptProbe } from './script-probe.ts';
import { createTcpProbe } from './tcp-probe.ts';

// The subjects are sockets and processes, so their time is real.
const clock: Clock = {
  now: () => performance.now(),
  wallNow: () => Date.now(),
  setTimer(delayMs, callback) {
    const timer = setTimeout(callback, delayMs);
    return { cancel: () => clearTimeout(timer) };
  },
};

function deps(over: Partial<ProbeDeps> = {}): ProbeDeps {
  return {
    addressPolicy: createAddressPolicy({ allowLoopback: true, ownEndpoints: [] }),
    resolve: async (host) => {
      if (host === 'good.test') return '127.0.0.1';
      if (host === 'metadata.test') return '169.254.169.254';
      throw Object.assign(new Error('no'), { code: 'ENOTFOUND' });
    },
    clock,
    ...over,
  };
}

const TARGET: Registration = {
  id: 'web-1',
  service: { namespace: 'default', group: 'default', name: 'web' },
  address: '127.0.0.1',
  port: 80,
  tags: [],
  metadata: {},
  weight: 100,
  checks: [],
  initialStatus: 'unknown',
  registeredAtMs: 0,
};

function http(url: string, over: Partial<HttpProbeConfig> = {}): HttpProbeConfig {
  return {
    kind: 'http',
    url,
    method: 'GET',
    headers: {},
    expectStatus: [{ from: 200, to: 299 }],
    skipTlsVerify: false,
    ...over,
  };
}

/** A server on loopback that knows its open connections. */
class Loopback {
  readonly open = new Set<Socket>();
  readonly #server: Server;
  accepted = 0;

  constructor(server: Server) {
    this.#server = server;
    server.on('connection', (socket) => {
      this.accepted++;
      this.open.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => {
        this.open.delete(socket);
        server.emit('released');
      });
    });
  }

  static async listen(server: Server): Promise<Loopback> {
    const loopback = new Loopback(server);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return loopback;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}/health`;
  }

  async untilReleased(): Promise<void> {
    while (this.open.size > 0) await once(this.#server, 'released');
  }

  async close(): Promise<void> {
    for (const socket of this.open) socket.destroy();
    this.#server.close();
    await once(this.#server, 'close');
  }
}

/** Answers every connection's first bytes with these bytes. */
function raw(answer: (socket: Socket) => void): Promise<Loopback> {
  return Loopback.listen(createServer((socket) => socket.once('data', () => answer(socket))));
}

/** A port on which nobody listens. */
async function freePort(): Promise<number> {
  const server = await Loopback.listen(createServer());
  const { port } = server;
  await server.close();
  return port;
}

probeContract<HttpProbeConfig>(
  'http',
  async () => {
    const servers = {
      good: await Loopback.listen(createHttpServer((_request, reply) => reply.end('fine'))),
      failing: await Loopback.listen(
        createHttpServer((_request, reply) => reply.writeHead(500).end('no')),
      ),
      redirecting: await Loopback.listen(
        createHttpServer((_request, reply) =>
          reply.writeHead(302, { location: 'http://169.254.169.254/' }).end(),
        ),
      ),
      garbage: await raw((socket) => socket.end('SSH-2.0-OpenSSH\r\n\r\n')),
      hugeHead: await raw((socket) => socket.write(`HTTP/1.1 200 OK\r\nx: ${'y'.repeat(40_000)}`)),
      resetting: await raw((socket) => socket.resetAndDestroy()),
      closing: await raw((socket) => socket.end()),
      endless: await raw((socket) => {
        socket.write('HTTP/1.1 200 OK\r\n\r\n');
        const more = (): void => {
          while (!socket.destroyed && socket.write('z'.repeat(16_384)));
        };
        socket.on('drain', more);
        more();
      }),
      silent: await raw(() => undefined),
      slowHead: await raw((socket) => socket.write('HTTP/1.1 200')),
      slowBody: await raw((socket) =>
        socket.write('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nab'),
      ),
    };
    const refused = await freePort();
    return {
      probe: createHttpProbe(deps()),
      healthy: http(servers.good.url),
      unhealthy: {
        'a failing status': http(servers.failing.url),
        'a redirect': http(servers.redirecting.url),
        'an answer that is not HTTP': http(servers.garbage.url),
        'a head without end': http(servers.hugeHead.url),
        'a reset': http(servers.resetting.url),
        'a silent close': http(servers.closing.url),
        'a refused connection': http(`http://127.0.0.1:${refused}/`),
        'a body without the text, and without end': http(servers.endless.url, {
          bodyContains: 'absent',
        }),
        'a name that does not exist': http('http://absent.test/'),
        'a metadata address behind a name': http('http://metadata.test/latest'),
        'a URL that is none': http('nothing'),
      },
      hanging: {
        'nothing comes': http(servers.silent.url),
        'the head is slow': http(servers.slowHead.url),
        'the body is slow': http(servers.slowBody.url, { bodyContains: 'abc' }),
      },
      untilReleased: async () => {
        for (const server of Object.values(servers)) await server.untilReleased();
      },
      close: async () => {
        for (const server of Object.values(servers)) await server.close();
      },
    };
  },
  {
    unhealthy: [
      'a failing status',
      'a redirect',
      'an answer that is not HTTP',
      'a head without end',
      'a reset',
      'a silent close',
      'a refused connection',
      'a body without the text, and without end',
      'a name that does not exist',
      'a metadata address behind a name',
      'a URL that is none',
    ],
    hanging: ['nothing comes', 'the head is slow', 'the body is slow'],
  },
);

probeContract<TcpProbeConfig>(
  'tcp',
  async () => {
    const good = await Loopback.listen(createServer());
    const refused = await freePort();
    // Only a name can keep this probe waiting on loopback.
    const never = deps({
      resolve: (host) =>
        host === 'stuck.test' ? new Promise<string>(() => undefined) : deps().resolve(host),
    });
    const tcp = (host: string, port: number): TcpProbeConfig => ({ kind: 'tcp', host, port });
    return {
      probe: createTcpProbe(never),
      healthy: tcp('127.0.0.1', good.port),
      unhealthy: {
        'a refused connection': tcp('127.0.0.1', refused),
        'a name that does not exist': tcp('absent.test', 1),
        'a metadata address': tcp('169.254.169.254', 80),
      },
      hanging: { 'the name server is silent': tcp('stuck.test', 1) },
      untilReleased: () => good.untilReleased(),
      close: () => good.close(),
    };
  },
  {
    unhealthy: ['a refused connection', 'a name that does not exist', 'a metadata address'],
    hanging: ['the name server is silent'],
  },
);

/** A health server whose answers depend on the service asked for. */
async function listenGrpc(withHealth: boolean): Promise<{ port: number; close: () => void }> {
  const server = new GrpcServer();
  if (withHealth) {
    server.addService(
      {
        check: {
          path: '/grpc.health.v1.Health/Check',
          requestStream: false,
          responseStream: false,
          requestSerialize: (bytes: Buffer) => bytes,
          requestDeserialize: (bytes: Buffer) => bytes,
          responseSerialize: (bytes: Buffer) => bytes,
          responseDeserialize: (bytes: Buffer) => bytes,
        },
      },
      {
        check: (
          call: { request: Buffer },
          reply: (error: object | null, value?: Buffer) => void,
        ) => {
          const name = call.request.subarray(2).toString();
          if (name === 'stuck') return;
          if (name === 'absent') return reply({ code: grpcStatus.NOT_FOUND, details: 'secret' });
          if (name === 'odd') return reply(null, Buffer.from('whatever'));
          reply(null, Buffer.from([0x08, name === 'down' ? 2 : 1]));
        },
      },
    );
  }
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error ? reject(error) : resolve(bound),
    );
  });
  return { port, close: () => server.forceShutdown() };
}

probeContract<GrpcProbeConfig>(
  'grpc',
  async () => {
    const server = await listenGrpc(true);
    const bare = await listenGrpc(false);
    const refused = await freePort();
    // In between, to see that every connection ends.
    const relay = await Loopback.listen(
      createServer((socket) => {
        const upstream = new (socket.constructor as new () => Socket)();
        upstream.on('error', () => socket.destroy());
        upstream.connect(server.port, '127.0.0.1');
        socket.pipe(upstream).pipe(socket);
        socket.on('close', () => upstream.destroy());
      }),
    );
    const grpc = (port: number, service = ''): GrpcProbeConfig => ({
      kind: 'grpc',
      host: '127.0.0.1',
      port,
      service,
      tls: false,
    });
    return {
      probe: createGrpcProbe(deps()),
      healthy: grpc(relay.port),
      unhealthy: {
        'a service that does not serve': grpc(relay.port, 'down'),
        'an unknown service': grpc(relay.port, 'absent'),
        'an unreadable answer': grpc(relay.port, 'odd'),
        'a server without health service': grpc(bare.port),
        'a refused connection': grpc(refused),
      },
      hanging: { 'the service does not answer': grpc(relay.port, 'stuck') },
      untilReleased: () => relay.untilReleased(),
      close: async () => {
        await relay.close();
        server.close();
        bare.close();
      },
    };
  },
  {
    unhealthy: [
      'a service that does not serve',
      'an unknown service',
      'an unreadable answer',
      'a server without health service',
      'a refused connection',
    ],
    hanging: ['the service does not answer'],
  },
);

function script(code: string): ScriptProbeConfig {
  return { kind: 'script', command: [process.execPath, '-e', code] };
}

probeContract<ScriptProbeConfig>(
  'script',
  async () => ({
    probe: createScriptProbe(deps()),
    healthy: script('console.log("fine")'),
    unhealthy: {
      'exit 2': script('process.exit(2)'),
      'a signal': script('process.kill(process.pid, "SIGKILL")'),
      'a program that does not exist': { kind: 'script', command: ['/nonexistent'] },
      'a NUL in an argument': { kind: 'script', command: ['true', '\0'] },
    },
    hanging: { 'it sleeps': script('setInterval(() => 0, 1000)') },
    untilReleased: async () => undefined,
    close: async () => undefined,
  }),
  {
    unhealthy: ['exit 2', 'a signal', 'a program that does not exist', 'a NUL in an argument'],
    hanging: ['it sleeps'],
  },
);

const live = (): AbortSignal => AbortSignal.timeout(5_000);

describe('http probe', () => {
  async function answerOf(bytes: string, over: Partial<HttpProbeConfig> = {}) {
    const server = await raw((socket) => socket.write(bytes, 'latin1'));
    const result = await createHttpProbe(deps()).check(TARGET, http(server.url, over), live());
    await server.close();
    return result;
  }

  test('takes 429 for a warning, unless it is expected', async () => {
    const busy = 'HTTP/1.1 429 Too Many Requests\r\n\r\n';
    expect(await answerOf(busy)).toMatchObject({ status: 'warning' });
    expect(await answerOf(busy, { expectStatus: [{ from: 429, to: 429 }] })).toMatchObject({
      status: 'passing',
    });
  });

  test('skips interim responses', async () => {
    const bytes = 'HTTP/1.1 103 Early Hints\r\nlink: a\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n';
    expect(await answerOf(bytes)).toMatchObject({ status: 'passing', output: 'HTTP 204' });
  });

  test('finds text across chunks and never shows the body', async () => {
    const body = 'transfer-encoding: chunked\r\n\r\n3;x=y\r\nsec\r\n3\r\nret\r\n0\r\n\r\n';
    const found = await answerOf(`HTTP/1.1 200 OK\r\n${body}`, { bodyContains: 'secret' });
    expect(found).toMatchObject({ status: 'passing', output: 'HTTP 200, body matches' });
    const lost = await answerOf(`HTTP/1.1 200 OK\r\n${body}`, { bodyContains: 'public' });
    expect(lost).toMatchObject({ status: 'critical', output: 'HTTP 200, body does not match' });
  });

  test('looks no further than 64 KiB and not behind the declared length', async () => {
    const far = `HTTP/1.1 200 OK\r\n\r\n${'x'.repeat(65_536)}needle`;
    expect(await answerOf(far, { bodyContains: 'needle' })).toMatchObject({ status: 'critical' });
    const surplus = 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nokneedle';
    expect(await answerOf(surplus, { bodyContains: 'needle' })).toMatchObject({
      status: 'critical',
    });
  });

  test.each([
    'HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n',
    'HTTP/1.1 200 OK\r\ncontent-length: +1\r\n\r\n',
    'HTTP/1.1 200 OK\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n',
    'HTTP/1.1 200 OK\r\nbad field: x\r\n\r\n',
    'HTTP/2 200 OK\r\n\r\n',
  ])('finds %j not well-formed', async (bytes) => {
    expect(await answerOf(bytes)).toMatchObject({
      status: 'critical',
      output: expect.stringContaining('not a well-formed'),
    });
  });

  test.each(['Transfer-Encoding', 'connection', 'Host', 'Content-Length', 'x y', 'Upgrade'])(
    'does not send a check that sets the header %s',
    async (name) => {
      const server = await raw(() => undefined);
      const config = http(server.url, { headers: { [name]: '1' } });
      const result = await createHttpProbe(deps()).check(TARGET, config, live());
      expect(result).toMatchObject({ status: 'critical' });
      expect(server.accepted).toBe(0);
      await server.close();
    },
  );

  test('does not let a header value carry another line', async () => {
    const config = http('http://127.0.0.1:1/', { headers: { a: 'b\r\nc: d' } });
    expect(await createHttpProbe(deps()).check(TARGET, config, live())).toMatchObject({
      output: expect.stringContaining('is not valid'),
    });
  });

  test('sends method, target, name and headers as configured', async () => {
    let seen = '';
    const server = await Loopback.listen(
      createHttpServer((request, reply) => {
        seen = `${request.method} ${request.url} ${request.headers.host} ${request.headers['x-a']}`;
        reply.end();
      }),
    );
    const config = http(`http://good.test:${server.port}/a?b=c#d`, {
      method: 'POST',
      headers: { 'X-A': 'v' },
    });
    await createHttpProbe(deps()).check(TARGET, config, live());
    expect(seen).toBe(`POST /a?b=c good.test:${server.port} v`);
    await server.close();
  });

  test('dials the one answer that was judged, although the name has another by then', async () => {
    const answers = ['127.0.0.1', '169.254.169.254'];
    const resolve = async (): Promise<string> => answers.shift() ?? '';
    const server = await Loopback.listen(createHttpServer((_request, reply) => reply.end()));
    const config = http(`http://rebinding.test:${server.port}/`);
    const probe = createHttpProbe(deps({ resolve }));
    expect(await probe.check(TARGET, config, live())).toMatchObject({ status: 'passing' });
    expect(answers).toEqual(['169.254.169.254']);
    expect(await probe.check(TARGET, config, live())).toMatchObject({
      output: expect.stringContaining('never dialled'),
    });
    await server.close();
  });

  test('judges an address as the URL parser spells it out', async () => {
    const probe = createHttpProbe(
      deps({ addressPolicy: createAddressPolicy({ allowLoopback: false, ownEndpoints: [] }) }),
    );
    for (const host of ['0x7f.1', '2130706433', '0177.0.0.1', '[::ffff:7f00:1]', '[::]']) {
      expect(await probe.check(TARGET, http(`http://${host}/`), live())).toMatchObject({
        output: expect.stringContaining('not dialled'),
      });
    }
  });
});

const openssl = ['/usr/bin/openssl', '/usr/local/bin/openssl'].find(existsSync);
if (!openssl) process.stdout.write('https probe tests skipped: no openssl to make a certificate\n');

describe.skipIf(!openssl)('https probe', () => {
  let folder = '';
  let server: Loopback;
  let names: (string | false | null | undefined)[] = [];

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'portolan-probe-'));
    const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
    const words = 'req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 1';
    await promisify(execFile)(openssl ?? '', [
      ...words.split(' '),
      ...['-subj', '/CN=good.test', '-keyout', key, '-out', cert],
    ]);
    const https = createHttpsServer(
      { key: await readFile(key), cert: await readFile(cert) },
      (_request, reply) => reply.end(),
    );
    https.on('secureConnection', (socket) => names.push(socket.servername));
    server = await Loopback.listen(https);
  });
  afterAll(async () => {
    await server.close();
    await rm(folder, { recursive: true });
  });

  test('refuses a self-signed certificate unless told to skip verification', async () => {
    const probe = createHttpProbe(deps());
    const url = `https://good.test:${server.port}/`;
    expect(await probe.check(TARGET, http(url), live())).toMatchObject({
      status: 'critical',
      output: expect.stringContaining('self-signed'),
    });
    names = [];
    expect(await probe.check(TARGET, http(url, { skipTlsVerify: true }), live())).toMatchObject({
      status: 'passing',
    });
    expect(names).toEqual(['good.test']);
    await server.untilReleased();
  });
});

describe('grpc probe', () => {
  test('explains a missing health service and keeps the instance’s own words out', async () => {
    const [bare, server] = [await listenGrpc(false), await listenGrpc(true)];
    const probe = createGrpcProbe(deps());
    const base = { kind: 'grpc', host: '127.0.0.1', tls: false } as const;
    const missing = await probe.check(TARGET, { ...base, port: bare.port, service: '' }, live());
    expect(missing.output).toContain('use a tcp check');
    const absent = await probe.check(
      TARGET,
      { ...base, port: server.port, service: 'absent' },
      live(),
    );
    expect(absent.output).not.toContain('secret');
    bare.close();
    server.close();
  });

  test.each([
    [[], 'UNKNOWN'],
    [[8, 1], 'SERVING'],
    [[8, 2], 'NOT_SERVING'],
    [[8, 9], 'unreadable'],
    [[8, 1, 0], 'unreadable'],
  ])('reads %j as %s', (bytes, word) => {
    expect(fromHealthCheckResponse(Buffer.from(bytes))).toBe(word);
  });
});

describe('script probe', () => {
  const probe = createScriptProbe({ clock });

  test('reads the exit code and the first line only', async () => {
    expect(
      await probe.check(TARGET, script('console.log("\\nslow\\nmore"); process.exit(1)'), live()),
    ).toMatchObject({ status: 'warning', output: 'exit 1: slow' });
  });

  test('gives no shell and none of the server’s environment', async () => {
    process.env.PORTOLAN_TEST_SECRET = 'x';
    const code =
      'console.log(process.argv[1], process.env.PORTOLAN_TEST_SECRET, process.env.CHECK_PORT)';
    const config: ScriptProbeConfig = {
      kind: 'script',
      command: [process.execPath, '-e', code, '$(id)'],
    };
    expect(await probe.check(TARGET, config, live())).toMatchObject({
      output: 'exit 0: $(id) undefined 80',
    });
    delete process.env.PORTOLAN_TEST_SECRET;
  });

  test('leaves no grandchild, also none that ignores the polite signal', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'portolan-probe-'));
    const file = join(folder, 'pid');
    const stubborn = `process.on("SIGTERM", () => 0); require("fs").writeFileSync(${JSON.stringify(file)}, String(process.pid)); setInterval(() => 0, 1000)`;
    const code = `require("child_process").spawn(process.execPath, ["-e", ${JSON.stringify(stubborn)}], { stdio: "inherit" })`;
    const controller = new AbortController();
    const asked = probe.check(TARGET, script(code), controller.signal);
    while (!existsSync(file) || (await readFile(file, 'utf8')) === '') {
      await new Promise((resolve) => setImmediate(resolve));
    }
    const pid = Number(await readFile(file, 'utf8'));
    controller.abort();
    expect(await asked).toMatchObject({ output: expect.stringContaining('did not end in time') });
    expect(await isGone(pid)).toBe(true);
    await rm(folder, { recursive: true });
  });
});

/** A killed orphan may stay a zombie until somebody reaps it. */
async function isGone(pid: number): Promise<boolean> {
  try {
    return / Z /.test(await readFile(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return true;
  }
}

test('createProbes has one probe for each kind that asks', () => {
  expect(createProbes(deps()).map(({ kind }) => kind)).toEqual(['http', 'tcp', 'grpc', 'script']);
});
