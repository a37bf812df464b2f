import { readFile } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { encodeJsonFrame, FRAME } from '@portolan/core';
import { afterEach, expect, test } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { type PortolanProcess, startPortolan } from '../support/portolan-process.ts';

const READERS = 60;
const MIB = 2 ** 20;
/** About 400 KiB as JSON. */
const INSTANCES = 200;
const FILLING = 'x'.repeat(480);

let portolan: PortolanProcess;
const sockets: Socket[] = [];

afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await portolan?.dispose();
});

async function residentBytes(): Promise<number> {
  const status = await readFile(`/proc/${portolan.child.pid}/status`, 'utf8');
  return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) * 1_024;
}

async function metric(name: string): Promise<number> {
  const text = await (await fetch(`${portolan.control}/metrics`)).text();
  return Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1] ?? Number.NaN);
}

/** Sends a request and never reads what comes. */
function aSlowReader(head: string): Promise<Socket> {
  const { hostname, port } = new URL(portolan.control);
  return new Promise((resolve, reject) => {
    const socket = connect({ host: hostname, port: Number(port) });
    sockets.push(socket);
    socket.pause();
    socket.on('error', reject);
    socket.on('connect', () => {
      socket.off('error', reject);
      socket.on('error', () => undefined);
      socket.write(`${head}\r\nHost: localhost\r\n\r\n`, () => resolve(socket));
    });
  });
}

/** Every instance of the service, changed. */
async function change(turn: number): Promise<void> {
  const instances = Array.from({ length: INSTANCES }, (_, at) => ({
    service: 'large',
    address: '10.7.0.1',
    port: 1_000 + at,
    lease: 'none',
    metadata: { turn: String(turn), a: FILLING, b: FILLING },
  }));
  const answer = await fetch(`${portolan.control}/api/v1/instances/batch`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ instances }),
  });
  expect(answer.status).toBe(200);
  await answer.arrayBuffer();
}

test.each([
  ['a stream of the whole catalogue', 'GET /api/v1/watch HTTP/1.1'],
  ['a stream of one service', 'GET /api/v1/services/large/instances?watch=true HTTP/1.1'],
  ['a stream of events', 'GET /api/v1/events HTTP/1.1\r\nAccept: text/event-stream'],
  [
    'pipelined long polls',
    `${'GET /api/v1/services/large/instances?index=1&wait=60s HTTP/1.1\r\nHost: localhost\r\n\r\n'.repeat(50)}GET / HTTP/1.1`,
  ],
])('a reader of %s who reads nothing costs bounded memory and is cut off', async (_what, head) => {
  portolan = await startPortolan({ args: ['--set', 'control.limits.writeTimeout=8s'] });
  // What changes cost by themselves, garbage included, is no reader's.
  for (let turn = 0; turn < 60; turn++) await change(turn);
  const idle = await metric('portolan_control_connections\\{listener="control"\\}');
  const readers = await Promise.all(Array.from({ length: READERS }, () => aSlowReader(head)));
  await change(60);
  const beforeBytes = await residentBytes();
  // 100 changes of 400 KiB for 60 readers are 2.4 GiB, if each waited for each.
  for (let turn = 61; turn < 161; turn++) await change(turn);
  const grownBytes = (await residentBytes()) - beforeBytes;
  process.stdout.write(`grown by ${Math.round(grownBytes / MIB)} MiB\n`);
  expect(grownBytes).toBeLessThan(400 * MIB);
  await eventually(
    async () =>
      (await metric('portolan_control_connections\\{listener="control"\\}')) <= idle + 1
        ? true
        : undefined,
    30_000,
    200,
  );
  expect(readers.length).toBe(READERS);
});

test('an agent who asks and takes no answer is read no further and cut off', async () => {
  portolan = await startPortolan({ args: ['--set', 'control.limits.writeTimeout=4s'] });
  const beforeBytes = await residentBytes();
  const agent = await aSlowReader(
    'GET /api/v1/agent HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: portolan-agent/1',
  );
  const instances = Array.from({ length: 100 }, (_, at) => ({
    service: 'large',
    address: '10.7.0.1',
    port: 1_000 + at,
    metadata: { a: FILLING },
  }));
  const slots = instances.map((_, at) => at);
  let sent = 0;
  let cut = false;
  agent.on('close', () => {
    cut = true;
  });
  for (let request = 1; request <= 5_000 && !cut; request++) {
    const frame = encodeJsonFrame(FRAME.REGISTER, request, { slots, instances });
    if (!agent.write(frame)) {
      await Promise.race([
        new Promise((resolve) => agent.once('drain', resolve)),
        new Promise((resolve) => agent.once('close', resolve)),
        new Promise((resolve) => setTimeout(resolve, 500)),
      ]);
      if (agent.writableLength > 8 * MIB) break;
    }
    sent = request;
  }
  const grownBytes = (await residentBytes()) - beforeBytes;
  process.stdout.write(`${sent} frames sent, grown by ${Math.round(grownBytes / MIB)} MiB\n`);
  expect(sent).toBeLessThan(5_000);
  expect(grownBytes).toBeLessThan(200 * MIB);
  await eventually(
    async () => ((await metric('portolan_agent_connections')) === 0 ? true : undefined),
    20_000,
    200,
  );
});
