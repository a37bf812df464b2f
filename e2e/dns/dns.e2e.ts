import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { hasTool } from '../support/debian-tool.ts';
import { eventually } from '../support/eventually.ts';
import { type PortolanProcess, runPortolan, startPortolan } from '../support/portolan-process.ts';
import { call, register } from '../support/registry-api.ts';
import { startUpstream, type UpstreamService } from '../support/upstream-service.ts';
import { dig } from './dig.ts';
import { type HaproxyProcess, startHaproxy } from './haproxy.ts';

let server: PortolanProcess;
let port: number;

beforeAll(async () => {
  server = await startPortolan({ args: ['--dns', '127.0.0.1:0'] });
  port = Number(/dns:\/\/127\.0\.0\.1:(\d+)/.exec(server.stdout())?.[1]);
});
afterAll(async () => {
  await server.dispose();
});

async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve) => probe.listen(0, '127.0.0.1', resolve));
  const address = probe.address();
  await new Promise((resolve) => probe.close(resolve));
  return address !== null && typeof address === 'object' ? address.port : 0;
}

function allInstances(service: string, count: number, extra: Record<string, unknown> = {}) {
  return Array.from({ length: count }, (_, at) => ({
    service,
    address: `10.1.0.${at + 1}`,
    port: 8_000 + at,
    lease: 'none',
    ...extra,
  }));
}

async function registerAll(instances: readonly object[]): Promise<void> {
  const answer = await call(server.control, 'POST', '/api/v1/instances/batch', { instances });
  expect(answer.body.failed).toBe(0);
}

describe.runIf(hasTool('dig', 'e2e/dns', 'bind9-dnsutils'))('asked with dig', () => {
  test('a service has addresses, targets, texts and an authority', async () => {
    await registerAll([
      ...allInstances('shop', 2, { tags: ['blue'], metadata: { zone: 'a' } }),
      { service: 'shop', address: 'fd00::7', port: 9_000, lease: 'none', weight: 5 },
    ]);
    const a = await dig(port, 'shop.service.portolan', 'A');
    expect(a).toMatchObject({ status: 'NOERROR' });
    expect(a.flags).toEqual(expect.arrayContaining(['qr', 'aa', 'rd']));
    expect(a.flags).not.toContain('ra');
    expect([...a.answer].sort()).toEqual([
      'shop.service.portolan. A 10.1.0.1',
      'shop.service.portolan. A 10.1.0.2',
    ]);
    const aaaa = await dig(port, 'shop.service.consul', 'AAAA');
    expect(aaaa.answer).toEqual(['shop.service.consul. AAAA fd00::7']);

    const srv = await dig(port, '_shop._tcp.service.portolan', 'SRV');
    expect([...srv.answer].sort()).toEqual([
      '_shop._tcp.service.portolan. SRV 1 100 8000 0a010001.addr.portolan.',
      '_shop._tcp.service.portolan. SRV 1 100 8001 0a010002.addr.portolan.',
      '_shop._tcp.service.portolan. SRV 1 5 9000 fd000000000000000000000000000007.addr.portolan.',
    ]);
    expect([...srv.additional].sort()).toEqual([
      '0a010001.addr.portolan. A 10.1.0.1',
      '0a010002.addr.portolan. A 10.1.0.2',
      'fd000000000000000000000000000007.addr.portolan. AAAA fd00::7',
    ]);
    // Each target can be asked for by itself, as a client does that looks at the answer section only.
    for (const line of srv.answer) {
      const target = line.split(' ').at(-1) ?? '';
      expect((await dig(port, target, 'ANY')).answer).toHaveLength(1);
    }
    const txt = await dig(port, 'blue.shop.service.portolan', 'TXT');
    expect(txt.answer).toHaveLength(2);
    expect(txt.answer.join('\n')).toContain('"id=shop-10.1.0.1-8000" "port=8000" "weight=100"');
    expect(txt.answer.join('\n')).toContain('"zone=a"');
    expect((await dig(port, 'portolan', 'SOA')).answer[0]).toMatch(
      /^portolan\. SOA ns\.portolan\. hostmaster\.portolan\. \d+ 3600 600 86400 1$/,
    );
    expect((await dig(port, 'portolan', 'NS')).answer).toEqual(['portolan. NS ns.portolan.']);
  });

  test('what is not routable is not there', async () => {
    await registerAll(allInstances('till', 2));
    const names = async () => (await dig(port, 'till.service.portolan', 'A')).answer;
    expect(await names()).toHaveLength(2);
    const path = '/api/v1/instances/till-10.1.0.1-8000';
    await call(server.control, 'POST', `${path}/maintenance`, { enable: true, reason: 'test' });
    expect(await names()).toEqual(['till.service.portolan. A 10.1.0.2']);
    await call(server.control, 'DELETE', '/api/v1/instances/till-10.1.0.2-8001');
    const none = await dig(port, 'till.service.portolan', 'A');
    expect(none).toMatchObject({ status: 'NXDOMAIN', answer: [] });
    expect(none.authority[0]).toMatch(/^portolan\. SOA /);
    await call(server.control, 'POST', `${path}/maintenance`, { enable: false });
    expect(await names()).toEqual(['till.service.portolan. A 10.1.0.1']);
  });

  test('nothing, no data and somebody else’s names are told apart', async () => {
    await registerAll(allInstances('desk', 1));
    expect((await dig(port, 'nobody.service.portolan')).status).toBe('NXDOMAIN');
    const empty = await dig(port, 'desk.service.portolan', 'AAAA');
    expect([empty.status, empty.answer, empty.authority.length]).toEqual(['NOERROR', [], 1]);
    const outside = await dig(port, 'www.debian.org', 'A');
    expect([outside.status, outside.answer]).toEqual(['REFUSED', []]);
    expect(await dig(port, 'version.bind', 'TXT', 'CH')).toMatchObject({ status: 'REFUSED' });
    expect((await dig(port, 'dEsK.sErViCe.PoRtOlAn', 'A')).answer).toEqual([
      'dEsK.sErViCe.PoRtOlAn. A 10.1.0.1',
    ]);
    expect((await dig(port, '+edns=1', '+noednsneg', 'desk.service.portolan')).status).toBe(
      'BADVERS',
    );
    expect((await dig(port, '+opcode=5', 'desk.service.portolan')).status).toBe('NOTIMP');
  });

  test('a large service is cut over UDP, and whole over TCP, where dig goes by itself', async () => {
    await registerAll(allInstances('fleet', 150));
    const plain = await dig(port, '+ignore', '+noedns', 'fleet.service.portolan', 'SRV');
    expect(plain.flags).toContain('tc');
    expect(plain.bytes).toBeLessThanOrEqual(512);
    const edns = await dig(port, '+ignore', '+bufsize=4096', 'fleet.service.portolan', 'SRV');
    expect(edns.flags).toContain('tc');
    expect(edns.bytes).toBeGreaterThan(1_000);
    expect(edns.bytes).toBeLessThanOrEqual(1_232);
    const followed = await dig(port, 'fleet.service.portolan', 'SRV');
    expect(followed.answer).toHaveLength(150);
    expect(followed.text).toContain('retrying in TCP mode');
  });

  test('two questions over one connection are answered', async () => {
    await registerAll(allInstances('pair', 1));
    const name = 'pair.service.portolan';
    const { text } = await dig(port, '+tcp', '+keepopen', name, 'A', name, 'SRV');
    expect(text.match(/status: NOERROR/g)).toHaveLength(2);
  });

  test('the order changes from answer to answer, as the weights say', async () => {
    await registerAll([
      { service: 'dice', address: '10.2.0.1', port: 1, lease: 'none', weight: 1 },
      { service: 'dice', address: '10.2.0.2', port: 1, lease: 'none', weight: 9 },
    ]);
    const names = Array.from({ length: 200 }, () => ['dice.service.portolan', 'A']).flat();
    const { text } = await dig(port, '+short', ...names);
    const lines = text.trim().split('\n');
    const first = lines.filter((_, at) => at % 2 === 0);
    expect(lines).toHaveLength(400);
    const heavy = first.filter((address) => address === '10.2.0.2').length;
    expect(heavy).toBeGreaterThan(140);
    expect(heavy).toBeLessThan(200);
  });
});

/** The first address of a service, asked for without a tool. */
async function askAddress(dnsPort: number, service: string): Promise<string> {
  const labels = [service, 'service', 'portolan'].flatMap((label) => [
    Buffer.from([label.length]),
    Buffer.from(label),
  ]);
  const head = Buffer.from('123401000001000000000000', 'hex');
  const query = Buffer.concat([head, ...labels, Buffer.from('0000010001', 'hex')]);
  const udp = createSocket('udp4');
  udp.send(query, dnsPort, '127.0.0.1');
  const [reply] = (await once(udp, 'message')) as [Buffer];
  udp.close();
  expect([reply.readUInt16BE(0), reply.readUInt16BE(6)]).toEqual([0x1234, 1]);
  return [...reply.subarray(-4)].join('.');
}

test('garbage over UDP and TCP leaves it answering', async () => {
  await register(server.control, 'calm', 7_001);
  const udp = createSocket('udp4');
  const garbage = Array.from({ length: 500 }, (_, at) =>
    Buffer.from(Array.from({ length: at % 90 }, (_unused, byte) => (at * 31 + byte * 17) % 256)),
  );
  for (const bytes of garbage) udp.send(bytes, port, '127.0.0.1');
  for (const bytes of garbage.slice(0, 40)) {
    const socket = connect(port, '127.0.0.1');
    socket.on('error', () => undefined);
    socket.end(bytes);
    socket.resume();
    await once(socket, 'close');
  }
  udp.close();
  expect(await askAddress(port, 'calm')).toBe('127.0.0.1');
  const metrics = await (await fetch(`${server.control}/metrics`)).text();
  expect(metrics).toMatch(/portolan_dns_unanswered_total\{reason="malformed"\} [1-9]/);
});

test('our own port is not taken as an instance’s address', async () => {
  const answer = await call(server.control, 'POST', '/register', {
    service: 'loop',
    address: '127.0.0.1',
    port,
  });
  expect([answer.status, answer.body.code]).toEqual([403, 'ADDRESS_FORBIDDEN']);
});

test('a port that is taken is said clearly, and ends the start', async () => {
  const { code, stderr } = await runPortolan(
    ['serve', '--control', '127.0.0.1:0', '--gateway', '127.0.0.1:0', '--dns', `127.0.0.1:${port}`],
    { cwd: server.dataDir, env: { PORTOLAN_DATA_DIR: `${server.dataDir}/other` } },
  );
  expect(code).not.toBe(0);
  expect(stderr).toContain(
    `127.0.0.1:${port} (dns) is in use by another process. Choose another with --dns HOST:PORT or dialects.dns.listen.`,
  );
});

describe.runIf(hasTool('haproxy', 'e2e/dns', 'haproxy'))('HAProxy', () => {
  const upstreams: UpstreamService[] = [];
  let haproxy: HaproxyProcess | undefined;

  afterEach(async () => {
    await haproxy?.stop();
    for (const upstream of upstreams.splice(0)) await upstream.stop('SIGKILL');
  });

  test.each(['udp', 'tcp'] as const)(
    'follows instances that come and go over %s',
    async (transport) => {
      const service = `shelf-${transport}`;
      const frontPort = await freePort();
      haproxy = await startHaproxy({
        port: frontPort,
        dnsPort: port,
        transport,
        name: `_${service}._tcp.service.portolan`,
      });
      const served = async (): Promise<string> => {
        const found = new Set<string>();
        for (let at = 0; at < 12; at++) {
          const answer = await fetch(`http://127.0.0.1:${frontPort}/`, {
            headers: { connection: 'close' },
          });
          await answer.text();
          found.add(answer.headers.get('x-served-by') ?? `${answer.status}`);
        }
        return [...found].sort().join(' ');
      };
      const becomes = (wanted: string) =>
        eventually(
          async () => {
            const seen = await served();
            if (seen !== wanted) throw new Error(`served by ${seen}: ${haproxy?.output()}`);
            return seen;
          },
          15_000,
          100,
        );
      const comes = async (name: string): Promise<string> => {
        const upstream = await startUpstream(name);
        upstreams.push(upstream);
        return await register(server.control, service, upstream.port);
      };

      await becomes('503');
      const a = await comes('a');
      await becomes('a');
      const b = await comes('b');
      await becomes('a b');
      await call(server.control, 'DELETE', `/api/v1/instances/${a}`);
      await becomes('b');
      await comes('c');
      await becomes('b c');
      await call(server.control, 'POST', `/api/v1/instances/${b}/maintenance`, {
        enable: true,
        reason: 'moving',
      });
      await becomes('c');
    },
  );
});

test('answers again after a kill, and ends with its connections closed', async () => {
  const own = await startPortolan({ args: ['--dns', '127.0.0.1:0'] });
  try {
    await register(own.control, 'phoenix', 7_002);
    await own.stop('SIGKILL');
    const again = await startPortolan({ dataDir: own.dataDir, args: ['--dns', '127.0.0.1:0'] });
    try {
      const dnsPort = Number(/dns:\/\/127\.0\.0\.1:(\d+)/.exec(again.stdout())?.[1]);
      expect(await askAddress(dnsPort, 'phoenix')).toBe('127.0.0.1');
      const socket = connect(dnsPort, '127.0.0.1');
      await once(socket, 'connect');
      const closed = once(socket, 'close');
      socket.resume();
      expect(await again.stop()).toEqual({ code: 0, signal: null });
      await closed;
    } finally {
      await again.dispose();
    }
  } finally {
    await own.dispose();
  }
});

test('an edge node answers from its copy of the catalogue, also when the registry is away', async () => {
  const registry = await startPortolan({ args: ['--role', 'registry'] });
  const follow = ['--role', 'gateway', '--registry', registry.control, '--dns', '127.0.0.1:0'];
  const edge = await startPortolan({ args: [...follow, '--grpc', '127.0.0.1:0'] });
  try {
    const edgePort = Number(/dns:\/\/127\.0\.0\.1:(\d+)/.exec(edge.stdout())?.[1]);
    await register(registry.control, 'near', 7_003);
    await eventually(async () => await askAddress(edgePort, 'near').catch(() => undefined));
    await registry.stop('SIGKILL');
    expect(await askAddress(edgePort, 'near')).toBe('127.0.0.1');
    expect(`${edge.stdout()}${edge.stderr()}`).toContain('not served with role gateway');
  } finally {
    await edge.dispose();
    await registry.dispose();
  }
});
