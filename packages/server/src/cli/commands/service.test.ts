import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { runToEnd } from '../test-support/run-cli.ts';
import { type SmallRegistry, startSmallRegistry } from '../test-support/small-registry.ts';

let small: SmallRegistry;
const run = (...args: string[]) => runToEnd(args, { registry: small.url });
const register = (port: string, ...more: string[]) =>
  run('register', '--service', 'jobs', '--port', port, '--id', `jobs-${port}`, ...more);
const timeless = (text: string) => text.replace(/\d{4}-\S+Z/, 'TIME');

beforeAll(async () => {
  small = await startSmallRegistry();
});
afterAll(() => small.close());

describe('an exclusive service on the command line', () => {
  test('is made by a registration, and everybody sees who is active', async () => {
    const first = await register('9001', '--exclusive');
    expect(first.stdout).toBe('jobs-9001: registered, jobs at 127.0.0.1:9001, passing, active\n');
    const second = await register('9002');
    expect(second.stdout).toContain('passing, standby');
    expect(timeless((await run('service', 'get', 'jobs')).stdout)).toMatchInlineSnapshot(`
      "jobs: exclusive, jobs-9001 is active since TIME, term 2
      ID         ADDRESS         STATUS   TRAFFIC  WEIGHT  VERSION  REASON
      jobs-9001  127.0.0.1:9001  passing  active   100     -        -
      jobs-9002  127.0.0.1:9002  passing  standby  100     -        jobs-9001 is active
      "
    `);
    const { stdout } = await run('instance', 'get', 'jobs-9002');
    expect(stdout).toContain('standby, term 2, jobs-9001 is active');
    expect((await run('services', '-o', 'wide')).stdout).toMatchInlineSnapshot(`
      "SERVICE  GROUP    INSTANCES  ROUTABLE  PROTECTED  EXCLUSIVE  REVISION
      jobs     default  2          1         no         yes        3
      "
    `);
  });

  test('is handed over, to the next or to whom one names', async () => {
    expect((await run('service', 'hand-over', 'jobs')).stdout).toBe(
      'jobs: jobs-9002 is active, term 4\n',
    );
    const named = await run('service', 'hand-over', 'jobs', '--to', 'jobs-9001', '-o', 'json');
    expect(JSON.parse(named.stdout)).toMatchObject({ active: 'jobs-9001', reason: 'requested' });
    await run('instance', 'disable', 'jobs-9002');
    const refused = await run('service', 'hand-over', 'jobs');
    expect(refused.stderr).toContain('no healthy and enabled standby');
    expect(refused.code).not.toBe(0);
    expect((await run('service', 'hand-over', 'jobs', '--to', 'nobody')).code).toBe(3);
    await run('instance', 'enable', 'jobs-9002');
  });

  test('is settled by the operator, until that is taken back', async () => {
    expect((await run('service', 'set', 'jobs')).code).toBe(2);
    const off = await run('service', 'set', 'jobs', '--no-exclusive');
    expect(off.stdout).toBe('jobs: not exclusive\n');
    expect((await run('service', 'get', 'jobs')).stdout).toContain('jobs: not exclusive\n');
    const refused = await register('9003', '--exclusive');
    expect(refused.stderr).toContain('EXCLUSIVE_CONFLICT');
    expect((await run('service', 'reset', 'jobs')).stdout).toBe('jobs: nothing is settled\n');
    const settled = await run('service', 'set', 'jobs', '--exclusive', '-o', 'json');
    expect(JSON.parse(settled.stdout)).toMatchObject({ service: 'jobs', exclusive: true });
    const { stdout } = await run('service', 'get', 'jobs', '-o', 'json');
    expect(JSON.parse(stdout)).toMatchObject({
      exclusive: true,
      term: { active: 'jobs-9001' },
      instances: [{ id: 'jobs-9001' }, { id: 'jobs-9002' }],
    });
  });

  test('that nobody knows ends with 3', async () => {
    const { code, stderr } = await run('service', 'get', 'nobody');
    expect([code, stderr.includes('no service "nobody"')]).toEqual([3, true]);
  });
});
