import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { runToEnd } from '../test-support/run-cli.ts';
import { type SmallRegistry, startSmallRegistry } from '../test-support/small-registry.ts';

let small: SmallRegistry;
const run = (...args: string[]) => runToEnd(args, { registry: small.url });
const runOn = (columns: number, ...args: string[]) =>
  runToEnd(args, { registry: small.url, columns, env: { NO_COLOR: '1' } });

beforeAll(async () => {
  small = await startSmallRegistry();
  await run('register', '--service', 'web', '--port', '9001', '--meta', 'version=v1');
  await run(
    ...['register', '--service', 'web', '--port', '9002', '--tag', 'version:v2'],
    ...['--meta', 'zone=b', '--weight', '50'],
  );
  await run(
    ...['register', '--service', 'orders', '--port', '9003', '--id', 'orders-one'],
    ...['--check', 'http=/health', '--interval', '1h'],
  );
  await run('instance', 'maintenance', 'web-127.0.0.1-9002', '--reason', 'disk swap');
});
afterAll(() => small.close());

describe('a listing', () => {
  test('of services counts what takes traffic', async () => {
    expect((await run('services')).stdout).toBe(
      [
        'SERVICE  INSTANCES  ROUTABLE  PROTECTED',
        'orders   1          0         no',
        'web      2          1         no',
        '',
      ].join('\n'),
    );
  });

  test('of a service says which instances take traffic and why the others do not', async () => {
    const { stdout, stderr, code } = await run('instances', 'web');
    expect(stdout).toMatchInlineSnapshot(`
      "ID                  ADDRESS         STATUS   TRAFFIC  WEIGHT  VERSION  REASON
      web-127.0.0.1-9001  127.0.0.1:9001  passing  yes      100     v1       -
      web-127.0.0.1-9002  127.0.0.1:9002  passing  no       50      v2       maintenance: disk swap
      "
    `);
    expect([stderr, code]).toEqual(['', 0]);
  });

  test('shows more with -o wide', async () => {
    expect((await run('instances', '-o', 'wide')).stdout).toMatchInlineSnapshot(`
      "ID                  SERVICE  ADDRESS         STATUS   TRAFFIC  WEIGHT  VERSION  ZONE  LEASE  TAGS        REASON
      orders-one          orders   127.0.0.1:9003  unknown  no       100     -        -     -      -           waiting for the first probe
      web-127.0.0.1-9001  web      127.0.0.1:9001  passing  yes      100     v1       -     -      -           -
      web-127.0.0.1-9002  web      127.0.0.1:9002  passing  no       50      v2       b     -      version:v2  maintenance: disk swap
      "
    `);
  });

  test('fits a terminal of 80 columns, and keeps ids whole', async () => {
    const { stdout } = await runOn(80, 'instances');
    expect(stdout).toMatchInlineSnapshot(`
      "ID                  ADDRESS         STATUS   TRAFFIC  WEIGHT  VERSION  REASON
      orders-one          127.0.0.1:9003  unknown  no       100     -        waiting …
      web-127.0.0.1-9001  127.0.0.1:9001  passing  yes      100     v1       -
      web-127.0.0.1-9002  127.0.0.1:9002  passing  no       50      v2       maintena…
      "
    `);
    for (const line of stdout.split('\n')) expect(line.length).toBeLessThanOrEqual(80);
  });

  test('gives names alone with -o name, and the whole answer with -o json', async () => {
    expect((await run('instances', 'web', '-o', 'name')).stdout).toBe(
      'web-127.0.0.1-9001\nweb-127.0.0.1-9002\n',
    );
    const { instances } = JSON.parse((await run('instances', 'web', '-o', 'json')).stdout);
    expect(instances[1]).toMatchObject({
      id: 'web-127.0.0.1-9002',
      labels: { version: 'v2', zone: 'b' },
      intent: { enabled: true, maintenance: { reason: 'disk swap' } },
    });
  });

  test('is filtered by label, status and traffic', async () => {
    const names = async (...args: string[]) =>
      (await run('instances', ...args, '-o', 'name')).stdout.trim().split('\n');
    expect(await names('web', '--meta', 'version=v1')).toEqual(['web-127.0.0.1-9001']);
    expect(await names('web', '--routable')).toEqual(['web-127.0.0.1-9001']);
    expect(await names('--zone', 'b')).toEqual(['web-127.0.0.1-9002']);
    expect(await names('--tag', 'version:v2')).toEqual(['web-127.0.0.1-9002']);
    expect(await names('--status', 'unknown')).toEqual(['orders-one']);
  });

  test('says on standard error that nothing matches, and prints an empty list as JSON', async () => {
    const none = await run('instances', 'web', '--zone', 'nowhere');
    expect([none.code, none.stdout, none.stderr]).toEqual([0, '', 'No instances of web match.\n']);
    const json = await run('instances', 'web', '--zone', 'nowhere', '-o', 'json');
    expect(JSON.parse(json.stdout)).toEqual({ instances: [] });
  });

  test('of one instance tells its checks, lease and intent', async () => {
    const { stdout } = await run('instance', 'get', 'orders-one');
    expect(stdout.replace(/\d{4}-\S+Z/, 'TIME')).toMatchInlineSnapshot(`
      "Id:            orders-one
      Service:       orders (namespace default, group default)
      Address:       127.0.0.1:9003
      Status:        unknown, waiting for the first probe
      Traffic:       no
      Intent:        enabled
      Weight:        100
      Lease:         none
      Labels:        -
      Registered:    TIME
      Revision:      3
      Check http-1:  unknown, http http://127.0.0.1:9003/health every 1h: 127.0.0.1:9003: connection refused (ECONNREFUSED)
      "
    `);
  });
});

describe('what goes wrong', () => {
  test('a registry that is away ends with 5 and what to do', async () => {
    const gone = await startSmallRegistry();
    await gone.close();
    const { code, stdout, stderr } = await runToEnd(['services'], { registry: gone.url });
    expect([code, stdout]).toEqual([5, '']);
    const { host } = new URL(gone.url);
    expect(stderr).toBe(
      `portolan: No registry at ${gone.url}: connect ECONNREFUSED ${host}.\n` +
        '  Start one with `portolan serve`, or name another with --registry URL or PORTOLAN_REGISTRY.\n',
    );
  });

  test('what does not exist ends with 3', async () => {
    for (const args of [
      ['instance', 'get', 'nobody'],
      ['instance', 'disable', 'nobody'],
      ['deregister', 'nobody'],
      ['route', 'get', 'nobody'],
      ['route', 'delete', 'nobody'],
      ['route', 'weights', 'nobody', '50', '50'],
      ['instances', 'nobody'],
    ]) {
      const { code, stderr, stdout } = await run(...args);
      expect([args.join(' '), code, stdout]).toEqual([args.join(' '), 3, '']);
      expect(stderr).toMatch(/^portolan: .*nobody/);
    }
  });

  test('a route that exists, or was changed meanwhile, ends with 4', async () => {
    expect((await run('route', 'set', 'once', '--to', 'web', '--create')).code).toBe(0);
    const again = await run('route', 'set', 'once', '--to', 'web', '--create');
    expect([again.code, again.stderr]).toMatchInlineSnapshot(`
      [
        4,
        "portolan: It exists, at revision 5. Read it again and decide anew. (PRECONDITION_FAILED)
      ",
      ]
    `);
    const stale = await run('route', 'set', 'once', '--to', 'orders', '--if-revision', '1');
    expect(stale.code).toBe(4);
    await run('route', 'delete', 'once');
  });

  test('a command line that is not understood ends with 2', async () => {
    for (const args of [
      ['nonsense'],
      ['instances', '--nonsense'],
      ['register'],
      ['register', '--service', 'web', '--port', '70000'],
      ['register', '--service', 'web', '--port', '1', '--check', 'ftp=/'],
      ['register', '--service', 'web', '--port', '1', '--check', 'script:true'],
      ['register', '--service', 'web', '--port', '1', '--ttl', 'soon'],
      ['deregister'],
      ['deregister', '--service', 'web'],
      ['route', 'set', 'x'],
      ['route', 'weights', 'x', 'half'],
      ['watch', '--from', 'yesterday'],
      ['services', '-o', 'xml'],
      ['services', '--registry', 'ftp://x'],
      ['agent', '--service', 'a', '--port', '1'],
    ]) {
      const { code, stderr, stdout } = await run(...args);
      expect([args.join(' '), code, stdout]).toEqual([args.join(' '), 2, '']);
      expect(stderr).toMatch(/^portolan: /);
    }
  });

  test('a refused registration names the field', async () => {
    const { code, stderr } = await run('register', '--service', 'no good', '--port', '1');
    expect(code).toBe(1);
    expect(stderr).toContain('$.service: expected');
  });
});
