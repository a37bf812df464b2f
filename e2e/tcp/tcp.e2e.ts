import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { type PortolanProcess, runPortolan, startPortolan } from '../support/portolan-process.ts';
import { call } from '../support/registry-api.ts';
import { startUpstream, type UpstreamService } from '../support/upstream-service.ts';

let folder: string;
let upstreams: UpstreamService[];
let portolan: PortolanProcess | undefined;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'portolan-tcp-'));
  upstreams = [await startUpstream('one'), await startUpstream('two')];
});

afterEach(async () => {
  await portolan?.dispose();
  portolan = undefined;
  await Promise.all(upstreams.map((upstream) => upstream.stop('SIGKILL')));
  await rm(folder, { recursive: true });
});

async function start(listeners: readonly string[]): Promise<PortolanProcess> {
  const lines = [
    'gateway:',
    '  listeners:',
    ...listeners.map((listener) => `    - ${listener}`),
    'services:',
    ...upstreams.map(({ port }) => `  - {service: db, address: 127.0.0.1, port: ${port}}`),
  ];
  await writeFile(join(folder, 'portolan.yaml'), `${lines.join('\n')}\n`);
  portolan = await startPortolan({ dataDir: join(folder, 'data'), cwd: folder });
  return portolan;
}

/** Speaks to the port as to a plain TCP service; what comes back until it ends. */
function say(port: number, text: string): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port });
    let got = '';
    socket.on('connect', () => socket.write(text));
    socket.on('data', (piece) => {
      got += piece;
    });
    socket.on('error', () => undefined);
    socket.on('close', () => resolve(got));
  });
}

const REQUEST = 'GET / HTTP/1.1\r\nHost: db\r\nConnection: close\r\n\r\n';

test('a TCP listener carries connections to healthy instances, and passes over one that was killed', async () => {
  const { control, gateway } = await start([
    '{name: db, protocol: tcp, listen: "127.0.0.1:0", service: db}',
  ]);
  const status = (await call(control, 'GET', '/api/v1/status')).body;
  const port = Number(new URL(status.listeners.more.db).port);
  const answers = new Set<string>();
  for (let at = 0; at < 4; at++) answers.add((await say(port, REQUEST)).split('\r\n\r\n')[1] ?? '');
  expect([...answers].filter((body) => /one|two/.test(body)).length).toBeGreaterThan(0);
  await upstreams[0]?.stop('SIGKILL');
  for (let at = 0; at < 10; at++) expect(await say(port, REQUEST)).toContain('two ');
  const metrics = await (await fetch(`${control}/metrics`)).text();
  expect(metrics).toMatch(
    /portolan_gateway_tcp_connections_total\{listener="db",outcome="carried"\} 14/,
  );
  expect((await call(gateway, 'GET', '/db/')).status).toBe(200);
});

test('an open connection outlives a reload, and is let finish at the end', async () => {
  const { control, child } = await start([
    '{name: db, protocol: tcp, listen: "127.0.0.1:0", service: db}',
  ]);
  const status = (await call(control, 'GET', '/api/v1/status')).body;
  const socket = connect({
    host: '127.0.0.1',
    port: Number(new URL(status.listeners.more.db).port),
  });
  let got = '';
  socket.on('data', (piece) => {
    got += piece;
  });
  socket.write('GET /1 HTTP/1.1\r\nHost: db\r\n\r\n');
  await eventually(() => got.includes('200 OK') || undefined);
  child.kill('SIGHUP');
  child.kill('SIGTERM');
  got = '';
  socket.write(REQUEST);
  await eventually(() => got.includes('200 OK') || undefined);
  socket.end();
});

test('what cannot be read in a listener is named with its line', async () => {
  await writeFile(
    join(folder, 'portolan.yaml'),
    [
      'gateway:',
      '  listeners:',
      '    - {name: db, protocol: tcp, listen: "127.0.0.1:0", service: db}',
      '    - {name: db, protocol: tcp, listen: "127.0.0.1:0", service: db}',
      '    - {name: pass, protocol: tls-passthrough, listen: "127.0.0.1:0", routes: [{serverNames: ["a b"], service: x}]}',
      '    - {name: udp, protocol: udp, listen: "127.0.0.1:0", service: db}',
    ].join('\n'),
  );
  const { code, stderr } = await runPortolan(['serve'], { cwd: folder });
  expect(code).toBe(78);
  expect(stderr).toMatch(/portolan\.yaml:5:\d+: gateway\.listeners\[2\]/);
  expect(stderr).toMatch(/portolan\.yaml:6:\d+: gateway\.listeners\[3\]/);
});
