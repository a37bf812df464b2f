import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { type AddressInfo, connect, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  AGENT_PATH,
  AGENT_PROTOCOL,
  encodeFrame,
  encodeJsonFrame,
  FRAME,
  FrameReader,
  frameName,
} from '@portolan/core';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { BIN, type PortolanProcess, startPortolan } from '../support/portolan-process.ts';
import { call } from '../support/registry-api.ts';
import { socketsTo } from './sockets-of.ts';

const INSTANCES = 500;

let folder: string;
let portolan: PortolanProcess;
const children: ChildProcess[] = [];
const servers: Server[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'portolan-stream-'));
});
afterEach(async () => {
  for (const child of children.splice(0)) {
    if (child.exitCode === null && child.signalCode === null) {
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
  }
  for (const server of servers.splice(0)) server.close();
  await portolan?.dispose();
  await rm(folder, { recursive: true, force: true });
});

function aNode(count: number, over: object = {}): string {
  return JSON.stringify({
    instances: Array.from({ length: count }, (_, at) => ({
      service: `service-${at % 20}`,
      address: '10.1.2.3',
      port: 10_000 + at,
      metadata: { version: 'v1' },
      lease: { ttl: '6s', heartbeat: '2s' },
      ...over,
    })),
  });
}

/** Runs `portolan agent --file` on the list, and resolves when all of it is registered. */
async function startAgent(registry: string, list: string, count: number) {
  const file = join(folder, 'instances.yaml');
  await writeFile(file, list);
  const child = spawn(
    process.execPath,
    [BIN, 'agent', '--registry', registry, '--file', file, '--drain', '0s'],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  );
  children.push(child);
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  await eventually(
    async () => (said.includes(`all ${count} instances`) ? true : undefined),
    20_000,
  );
  return { child, pid: child.pid as number, file, said: () => said };
}

const portOf = (origin: string) => Number(new URL(origin).port);
async function present(origin: string): Promise<number> {
  const answer = await fetch(`${origin}/api/v1/instances`);
  return ((await answer.json()) as { instances: unknown[] }).instances.length;
}
async function metric(origin: string, name: string): Promise<number> {
  const text = await (await fetch(`${origin}/metrics`)).text();
  return Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1] ?? Number.NaN);
}
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

describe('a node with 500 instances', () => {
  test('costs one socket, keeps its leases, and leaves at once when the agent is told to stop', async () => {
    portolan = await startPortolan();
    const { control } = portolan;
    const agent = await startAgent(control, aNode(INSTANCES), INSTANCES);
    expect(await present(control)).toBe(INSTANCES);
    // Longer than a lease.
    await pause(8_000);
    expect(await present(control)).toBe(INSTANCES);
    expect(await socketsTo(agent.pid, portOf(control))).toBe(1);
    expect(await metric(control, 'portolan_agent_slots')).toBe(INSTANCES);
    const beats = await metric(control, 'portolan_agent_frames_total\\{type="renew"\\}');
    expect(beats).toBeGreaterThan(2);
    expect(beats).toBeLessThan(30);
    agent.child.kill('SIGTERM');
    expect(await once(agent.child, 'exit')).toEqual([0, null]);
    expect(await present(control)).toBe(0);
    expect(await metric(control, 'portolan_agent_connections')).toBe(0);
  });

  test('comes back over one socket after kill -9 of the registry, and no lease is lost', async () => {
    const dataDir = join(folder, 'data');
    await mkdir(dataDir);
    const first = await startPortolan({ dataDir });
    const port = portOf(first.control);
    const agent = await startAgent(first.control, aNode(INSTANCES), INSTANCES);
    await first.stop('SIGKILL');
    await pause(1_000);
    portolan = await startPortolan({ dataDir, args: ['--control', `127.0.0.1:${port}`] });
    const { control } = portolan;
    expect(await present(control)).toBe(INSTANCES);
    const before = (await call(control, 'GET', '/api/v1/status')).body.revision;
    await eventually(async () =>
      (await metric(control, 'portolan_agent_slots')) === INSTANCES ? true : undefined,
    );
    await pause(8_000);
    expect(await present(control)).toBe(INSTANCES);
    expect(await socketsTo(agent.pid, port)).toBe(1);
    // They were heard, not written anew.
    expect((await call(control, 'GET', '/api/v1/status')).body.revision).toBe(before);
  });

  test('is registered again where the registry came back without its data', async () => {
    const first = await startPortolan();
    const port = portOf(first.control);
    await startAgent(first.control, aNode(INSTANCES), INSTANCES);
    await first.stop('SIGKILL');
    await first.dispose();
    portolan = await startPortolan({ args: ['--control', `127.0.0.1:${port}`] });
    await eventually(async () =>
      (await present(portolan.control)) === INSTANCES ? true : undefined,
    );
  });

  test('is gone when its leases have run out after kill -9 of the agent', async () => {
    portolan = await startPortolan({ args: ['--set', 'registry.protection.enabled=false'] });
    const { control } = portolan;
    const agent = await startAgent(control, aNode(INSTANCES), INSTANCES);
    agent.child.kill('SIGKILL');
    await once(agent.child, 'exit');
    await pause(1_500);
    // The connection is known to be dead; the leases run.
    expect(await metric(control, 'portolan_agent_connections')).toBe(0);
    expect(await present(control)).toBe(INSTANCES);
    await eventually(async () => ((await present(control)) === 0 ? true : undefined), 15_000);
  });

  test('follows its file at SIGHUP', async () => {
    portolan = await startPortolan();
    const { control } = portolan;
    const agent = await startAgent(control, aNode(10), 10);
    await writeFile(agent.file, aNode(4, { metadata: { version: 'v2' } }));
    agent.child.kill('SIGHUP');
    await eventually(async () => {
      const { instances } = (await call(control, 'GET', '/api/v1/instances')).body;
      const versions = instances.map(
        (each: { metadata: { version: string } }) => each.metadata.version,
      );
      return versions.join() === 'v2,v2,v2,v2' ? true : undefined;
    });
    await writeFile(agent.file, '{"instances": [{"port": 1}], "colour": "blue"}');
    agent.child.kill('SIGHUP');
    await eventually(async () =>
      /is not a list of instances/.test(agent.said()) ? true : undefined,
    );
    expect(await present(control)).toBe(4);
  });
});

const halfWritten = encodeFrame(FRAME.REGISTER, 2, new Uint8Array(100)).subarray(0, 50);
const oversized = new Uint8Array(9);
new DataView(oversized.buffer).setUint32(0, 0xffff_ffff);
oversized[4] = FRAME.REGISTER;

test.each([
  ['an oversized frame', oversized, 'BODY_TOO_LARGE'],
  ['a frame of no type', Uint8Array.of(0, 0, 0, 0, 99, 0, 0, 0, 2), 'FRAME_INVALID'],
  ['a request in plain HTTP', Buffer.from('GET / HTTP/1.1\r\nHost: a\r\n\r\n'), 'FRAME_INVALID'],
  ['half a frame and its end', halfWritten, 'FRAME_INVALID'],
])(
  '%s is answered with a reason, the connection is closed, and nothing changes',
  async (_what, bytes, code) => {
    portolan = await startPortolan();
    const { control } = portolan;
    const socket = connect({ port: portOf(control), host: '127.0.0.1', allowHalfOpen: true });
    const ended = new Promise<Buffer>((resolve, reject) => {
      const parts: Buffer[] = [];
      socket.on('data', (part: Buffer) => parts.push(part));
      socket.on('end', () => resolve(Buffer.concat(parts)));
      socket.on('error', reject);
    });
    socket.write(
      `GET ${AGENT_PATH} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: ${AGENT_PROTOCOL}\r\n\r\n`,
    );
    const instances = [{ service: 'web', address: '10.1.2.3', port: 80 }];
    socket.write(encodeJsonFrame(FRAME.REGISTER, 1, { slots: [1], instances }));
    await eventually(async () => ((await present(control)) === 1 ? true : undefined));
    socket.write(bytes);
    if (bytes === halfWritten) socket.end();
    const reply = await ended;
    socket.destroy();
    const reader = new FrameReader('server', 1_000_000);
    reader.feed(reply.subarray(reply.indexOf('\r\n\r\n') + 4));
    const seen: [string, unknown][] = [];
    for (let frame = reader.next(); frame; frame = reader.next()) {
      seen.push([frameName(frame.type), JSON.parse(new TextDecoder().decode(frame.payload)).code]);
    }
    expect(seen).toEqual([
      ['HELLO', undefined],
      ['RESULTS', undefined],
      ['ERROR', code],
    ]);
    expect(await present(control)).toBe(1);
    expect(await metric(control, `portolan_agent_faults_total\\{code="${code}"\\}`)).toBe(1);
  },
);

/** Something between that passes plain HTTP on and takes the wish to upgrade away, as proxies do. */
async function startStrippingProxy(control: string): Promise<string> {
  const server = createServer((downstream) => {
    const upstream = connect(portOf(control), '127.0.0.1');
    downstream.on('data', (bytes) =>
      upstream.write(
        bytes.toString('latin1').replace(/\r\n(connection|upgrade): [^\r]*/gi, ''),
        'latin1',
      ),
    );
    downstream.on('end', () => upstream.end());
    upstream.pipe(downstream);
    for (const socket of [downstream, upstream]) {
      socket.on('error', () => {
        downstream.destroy();
        upstream.destroy();
      });
    }
    downstream.on('close', () => upstream.destroy());
  });
  servers.push(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

test('behind a proxy that knows no upgrades the agent goes on over plain HTTP', async () => {
  portolan = await startPortolan();
  const { control } = portolan;
  const between = await startStrippingProxy(control);
  const agent = await startAgent(between, aNode(20), 20);
  await pause(8_000);
  expect(await present(control)).toBe(20);
  expect(await metric(control, 'portolan_agent_connections')).toBe(0);
  const renewed = await metric(control, 'portolan_heartbeats_total\\{outcome="renewed"\\}');
  expect(renewed).toBeGreaterThan(40);
  agent.child.kill('SIGTERM');
  expect(await once(agent.child, 'exit')).toEqual([0, null]);
  expect(await present(control)).toBe(0);
});
