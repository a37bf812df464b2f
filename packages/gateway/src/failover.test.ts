import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { Agent, request } from 'node:http';
import { type Logger, NO_LOGGER } from '@portolan/core';
import { afterEach, describe, expect, it } from 'vitest';
import { aGateway, anUpstream, ask, cleanUp, onCleanup } from './test-rig/running-gateway.ts';
import { anInstance } from './test-rig/settable-catalogue.ts';

afterEach(cleanUp);

const SERVER = `
  const server = require('node:http').createServer((req, res) => setTimeout(() => res.end(String(process.pid)), 2));
  server.listen(Number(process.argv[1]), '127.0.0.1', () => console.log(server.address().port));
`;

/** An upstream in a process of its own, which can be killed. */
async function aProcess(port = 0): Promise<{ child: ChildProcess; port: number }> {
  const child = spawn(process.execPath, ['-e', SERVER, String(port)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  onCleanup(() => child.kill('SIGKILL'));
  const [line] = await once(child.stdout, 'data');
  return { child, port: Number(String(line)) };
}

/** Keeps what is logged. */
class KeepingLogger implements Logger {
  readonly records: { message: string; fields: Record<string, unknown> }[] = [];
  debug = (fields: object, message: string) => this.#keep(fields, message);
  info = (fields: object, message: string) => this.#keep(fields, message);
  warn = (fields: object, message: string) => this.#keep(fields, message);
  error = (fields: object, message: string) => this.#keep(fields, message);
  child = () => this;

  #keep(fields: object, message: string): void {
    this.records.push({ message, fields: { ...fields } });
  }
}

/** Keeps `lanes` requests under way until told to stop; yields the status and body of each. */
function startLoad(port: number, lanes: number, onAnswer: (status: number, body: string) => void) {
  const agent = new Agent({ keepAlive: true, maxSockets: lanes });
  onCleanup(() => agent.destroy());
  let going = true;
  const one = () =>
    new Promise<void>((resolve) => {
      const failed = () => {
        onAnswer(0, '');
        resolve();
      };
      request({ host: '127.0.0.1', port, path: '/web/', agent }, (answer) => {
        let body = '';
        answer.on('data', (piece) => {
          body += piece;
        });
        answer.on('error', failed);
        answer.on('end', () => {
          onAnswer(answer.statusCode ?? 0, body);
          resolve();
        });
      })
        .on('error', failed)
        .end();
    });
  const lane = async () => {
    while (going) await one();
  };
  const done = Promise.all(Array.from({ length: lanes }, lane));
  return async () => {
    going = false;
    await done;
  };
}

describe('failover', () => {
  it('fails no idempotent request through a SIGKILL, asks the dead one no more, and finds it again once restarted', async () => {
    const [victim, other, third] = await Promise.all([aProcess(), aProcess(), aProcess()]);
    const logger = new KeepingLogger();
    const { catalogue, port } = await aGateway({}, { logger: logger });
    const all = [victim, other, third].map((up) => anInstance(up.port));
    catalogue.set('web', all);
    const statuses = new Map<number, number>();
    const bodies = new Map<string, number>();
    const waiters: { readonly holds: () => boolean; readonly resolve: () => void }[] = [];
    const stop = startLoad(port, 32, (status, body) => {
      statuses.set(status, (statuses.get(status) ?? 0) + 1);
      bodies.set(body, (bodies.get(body) ?? 0) + 1);
      for (const [at, waiter] of [...waiters.entries()].reverse()) {
        if (waiter.holds()) waiters.splice(at, 1).forEach((one) => void one.resolve());
      }
    });
    const until = (holds: () => boolean) =>
      new Promise<void>((resolve) => waiters.push({ holds, resolve }));
    const answers = () => [...statuses.values()].reduce((sum, count) => sum + count, 0);
    const key = `127.0.0.1 ${victim.port} i-${victim.port}`;
    const about = (message: string) =>
      logger.records.filter((one) => one.message === message && one.fields.endpoint === key);

    await until(() => (bodies.get(String(victim.child.pid)) ?? 0) > 100);
    victim.child.kill('SIGKILL');
    await until(() => about('endpoint ejected from rotation').length > 0);
    const ejectedAt = answers();
    await until(() => answers() > ejectedAt + 500);
    // Each lane has one request under way, so more than one failure a lane would be an attempt after the ejection.
    const failures = about('attempt failed').length;
    const ejections = about('endpoint ejected from rotation').length;
    expect(failures).toBeLessThanOrEqual(32 * ejections);
    // A change of its labels in the registry is no news of its health.
    const before = about('attempt failed').length;
    catalogue.set(
      'web',
      all.map((one) => ({ ...one, labels: { changed: 'yes' }, effectiveWeight: 50 })),
    );
    const seen = answers();
    await until(() => answers() > seen + 50);
    const anew = about('endpoint ejected from rotation').length - ejections;
    expect(about('attempt failed').length - before).toBeLessThanOrEqual(32 * anew);

    const again = await aProcess(victim.port);
    const restartedMs = performance.now();
    await until(() => (bodies.get(String(again.child.pid)) ?? 0) > 20);
    expect(performance.now() - restartedMs).toBeLessThan(5_000);
    await stop();
    expect([...statuses.keys()]).toEqual([200]);
  });

  it('tries the only endpoint of a service again although it is ejected, and says 502 while it is away', async () => {
    const only = await aProcess();
    const { catalogue, gateway, port } = await aGateway();
    catalogue.set('web', [anInstance(only.port)]);
    expect((await ask(port, '/web/')).status).toBe(200);
    only.child.kill('SIGKILL');
    await once(only.child, 'exit');
    for (let turn = 0; turn < 2; turn++) {
      const answer = await ask(port, '/web/', { method: 'POST', body: 'x' });
      expect(answer.status).toBe(502);
      expect(JSON.parse(answer.body).error.code).toBe('UPSTREAM_CONNECT_FAILED');
    }
    expect(gateway.stats().ejected).toBe(1);
    await aProcess(only.port);
    expect((await ask(port, '/web/')).status).toBe(200);
  });

  it('sends what a full endpoint cannot take to another one, and says 503 only when all are full', async () => {
    const held: (() => void)[] = [];
    const arrived: (() => void)[] = [];
    const hold = () =>
      anUpstream((_req, res) => {
        held.push(() => res.end('ok'));
        for (const tell of arrived.splice(0)) tell();
      });
    const ups = await Promise.all([hold(), hold(), hold()]);
    const { catalogue, port } = await aGateway({
      limits: { maxRequestsPerEndpoint: 2 },
    });
    // One weighs so much that round robin alone would choose nothing else.
    catalogue.set(
      'web',
      ups.map((up, at) => anInstance(up.port, { effectiveWeight: at === 0 ? 60_000 : 1 })),
    );
    const answers: Promise<{ status: number }>[] = [];
    for (let at = 0; at < 6; at++) {
      const here = new Promise<void>((resolve) => arrived.push(resolve));
      answers.push(ask(port, '/web/'));
      await here;
    }
    const refused = await ask(port, '/web/');
    expect(refused.status).toBe(503);
    expect(refused.headers['retry-after']).toBe('1');
    expect(JSON.parse(refused.body).error.code).toBe('UPSTREAM_OVERFLOW');
    for (const finish of held) finish();
    for (const answer of answers) expect((await answer).status).toBe(200);
  });

  it('tries elsewhere when the queue for connections of one endpoint is full', async () => {
    const arrived: (() => void)[] = [];
    const held: (() => void)[] = [];
    const stuck = await anUpstream((_req, res) => {
      held.push(() => res.end('slow'));
      for (const tell of arrived.splice(0)) tell();
    });
    const quick = await anUpstream((_req, res) => res.end('quick'));
    const { catalogue, port } = await aGateway({ pool: { maxConnections: 1, maxWaiting: 1 } });
    catalogue.set('web', [
      anInstance(stuck.port, { effectiveWeight: 60_000 }),
      anInstance(quick.port, { effectiveWeight: 1 }),
    ]);
    const here = new Promise<void>((resolve) => arrived.push(resolve));
    const first = ask(port, '/web/');
    await here;
    const second = ask(port, '/web/');
    for (let turn = 0; turn < 5; turn++) expect((await ask(port, '/web/')).body).toBe('quick');
    for (const finish of held.splice(0)) finish();
    expect((await first).body).toBe('slow');
    await Promise.race([second, new Promise<void>((resolve) => arrived.push(resolve))]);
    for (const finish of held) finish();
    expect((await second).status).toBe(200);
  });

  it('lets two services that share an address leave without disturbing each other', async () => {
    let finish: (() => void) | undefined;
    let tell: (() => void) | undefined;
    const arrived = new Promise<void>((resolve) => {
      tell = resolve;
    });
    let connections = 0;
    const up = await anUpstream((req, res) => {
      if (req.url !== '/slow') return void res.end('ok');
      finish = () => res.end('late');
      tell?.();
    });
    up.server.on('connection', () => connections++);
    const { catalogue, port } = await aGateway({}, { logger: NO_LOGGER });
    catalogue.set('web', [anInstance(up.port)]);
    catalogue.set('twin', [anInstance(up.port)]);
    expect((await ask(port, '/web/')).body).toBe('ok');
    const late = ask(port, '/web/slow');
    await arrived;
    catalogue.set('twin', []);
    finish?.();
    expect((await late).body).toBe('late');
    expect((await ask(port, '/web/')).body).toBe('ok');
    expect(connections).toBe(1);
  });
});
