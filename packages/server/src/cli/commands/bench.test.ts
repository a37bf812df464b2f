import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { runToEnd, startCli } from '../test-support/run-cli.ts';
import { type SmallRegistry, startSmallRegistry } from '../test-support/small-registry.ts';

let small: SmallRegistry;
beforeEach(async () => {
  small = await startSmallRegistry();
});
afterEach(() => small.close());

const FEW = ['bench', 'registry', '--instances', '40', '--services', '4', '--connections', '4'];
const SHORT = ['--interval', '200ms', '--duration', '200ms', '--namespace', 'bench'];
const run = (...args: string[]) => runToEnd(args, { registry: small.url });

describe('portolan bench registry', () => {
  test('measures each phase and leaves nothing behind', async () => {
    const { code, stdout, stderr } = await run(...FEW, ...SHORT, '-o', 'json');
    expect([code, stderr]).toEqual([0, '']);
    const told = JSON.parse(stdout);
    expect(told).toMatchObject({ namespace: 'bench', instances: 40 });
    expect(told.phases).toMatchObject([
      { phase: 'register', requests: 40, errors: 0 },
      { phase: 'heartbeat', requests: 40, errors: 0 },
      { phase: 'deregister', requests: 40, errors: 0 },
    ]);
    for (const phase of told.phases) {
      expect(phase.p50Ms).toBeGreaterThan(0);
      expect(phase.maxMs).toBeGreaterThanOrEqual(phase.p999Ms);
    }
    const left = await run('instances', '--namespace', 'bench', '-o', 'name');
    expect(left.stdout).toBe('');
  });

  test('keeps the instances when asked to, and fails when anything went wrong', async () => {
    expect((await run(...FEW, ...SHORT, '--keep')).code).toBe(0);
    const left = await run('instances', '--namespace', 'bench', '-o', 'name');
    expect(left.stdout.trimEnd().split('\n')).toHaveLength(40);
    await run('deregister', 'bench-7', '--namespace', 'bench');
    const { code, stdout, stderr } = await run(...FEW, ...SHORT);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^PHASE +REQUESTS +SECONDS/);
    expect(stderr).toBe('');
  });

  test('goes on to the deregistration at Ctrl-C', async () => {
    const bench = startCli(
      [...FEW, '--namespace', 'bench', '--interval', '1s', '--duration', '1h'],
      {
        registry: small.url,
        columns: 120,
      },
    );
    await bench.until('heartbeat');
    expect(bench.signal('SIGINT')).toBe(true);
    expect(await bench.ended).toBe(130);
    expect(bench.stdout()).toMatch(/deregister +40/);
  });

  test('ends after a registration of which nothing was taken, and says why', async () => {
    const refusing = createServer((request, reply) => {
      const asked = request.url?.startsWith('/api/v1/status') === true;
      const headers = { 'content-type': 'application/json', 'content-length': 2 };
      reply.writeHead(asked ? 200 : 403, headers).end('{}');
    });
    await new Promise<void>((resolve) => refusing.listen(0, '127.0.0.1', resolve));
    const { port } = refusing.address() as AddressInfo;
    const registry = `http://127.0.0.1:${port}`;
    const { code, stdout, stderr } = await runToEnd([...FEW, '--duration', '1h'], { registry });
    refusing.close();
    refusing.closeAllConnections();
    expect(code).toBe(1);
    expect(stdout).toMatch(/register +40 .* 40\n$/);
    expect(stdout).not.toContain('heartbeat');
    expect(stderr).toContain('register: 40 × status 403');
  });

  test('says what is wrong with its options, and when nobody is there', async () => {
    expect((await run('bench', 'registry', '--instances', 'many')).stderr).toContain(
      'Expected a whole number from 1 to 9999999.',
    );
    const nobody = await runToEnd(FEW, { registry: 'http://127.0.0.1:1' });
    expect(nobody.code).toBe(5);
  });
});
