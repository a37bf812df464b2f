import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { runToEnd } from '../test-support/run-cli.ts';
import { type SmallRegistry, startSmallRegistry } from '../test-support/small-registry.ts';

let small: SmallRegistry;
const run = (...args: string[]) => runToEnd(args, { registry: small.url });

beforeAll(async () => {
  small = await startSmallRegistry();
});
afterAll(() => small.close());

describe('portolan route', () => {
  test('sets a canary and shifts it by version, as the tutorial says', async () => {
    const set = await run(
      ...['route', 'set', 'shop', '--path', '/shop'],
      ...['--to', 'web:version=v1=90', '--to', 'web:version=v2=10'],
    );
    expect([set.code, set.stderr, set.stdout]).toEqual([
      0,
      '',
      'shop: set, web:version=v1=90 web:version=v2=10\n',
    ]);
    const shifted = await run('route', 'weights', 'shop', 'v1=50', 'v2=50');
    expect([shifted.code, shifted.stdout]).toEqual([
      0,
      'shop: set, web:version=v1=50 web:version=v2=50\n',
    ]);
    await run('route', 'weights', 'shop', '0', '100');
    expect((await run('route', 'get', 'shop')).stdout).toMatchInlineSnapshot(`
      "NAME  HOSTS  MATCH   TO
      shop  *      /shop*  web:version=v1=0 web:version=v2=100
      "
    `);
    const bad = await run('route', 'weights', 'shop', 'v1=50', 'v3=50');
    expect([bad.code, bad.stderr]).toMatchInlineSnapshot(`
      [
        1,
        "portolan: $.weights: expected a weight for each version of the route: v1, v2, found v1, v3. (VALIDATION_FAILED)
      ",
      ]
    `);
  });

  test('reads a route from a file or standard input, and writes every option', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'portolan-route-'));
    try {
      await writeFile(
        join(folder, 'orders.yaml'),
        'hosts: [orders.example.com]\nto:\n  - service: orders\ntimeout: 2s\n',
      );
      const fromFile = await runToEnd(['route', 'set', 'orders', '-f', 'orders.yaml'], {
        registry: small.url,
        cwd: folder,
      });
      expect([fromFile.code, fromFile.stderr]).toEqual([0, '']);
    } finally {
      await rm(folder, { recursive: true });
    }
    const fromInput = await runToEnd(['route', 'set', 'input', '-f', '-'], {
      registry: small.url,
      stdin: '{"to":[{"service":"orders","weight":3}]}',
    });
    expect(fromInput.stderr).toBe('');
    const everything = await run(
      ...['route', 'set', 'all', '--host', '*.example.com', '--path', '/a', '--exact'],
      ...['--method', 'get', '--header', 'X-User=a', '--to', 'orders', '--rewrite', '/'],
      ...['--timeout', '1500ms', '--retries', '2', '--balancer', 'least-request', '-o', 'json'],
    );
    expect(JSON.parse(everything.stdout)).toMatchObject({
      hosts: ['*.example.com'],
      match: [{ path: { exact: '/a' }, methods: ['GET'], headers: { 'x-user': 'a' } }],
      to: [{ service: 'orders' }],
      rewrite: { prefix: '/' },
      timeoutMs: 1_500,
      retries: { attempts: 2 },
      balancer: 'least-request',
    });
    expect((await run('route', 'list')).stdout).toMatchInlineSnapshot(`
      "NAME    HOSTS               MATCH            TO
      all     *.example.com       GET /a x-user=a  orders=1
      input   *                   *                orders=3
      orders  orders.example.com  *                orders=1
      shop    *                   /shop*           web:version=v1=0 web:version=v2=100
      "
    `);
    expect((await run('route', 'rm', 'all')).stdout).toBe('all: deleted\n');
  });

  test('explains a request, and says what is wrong with one', async () => {
    for (const [at, port] of [9001, 9002].entries()) {
      const pay = ['--service', 'pay', '--address', '127.0.0.1', '--port', String(port)];
      const { stderr } = await run('register', ...pay, '--tag', `version:v${at + 1}`);
      expect(stderr).toBe('');
    }
    await run(
      ...['route', 'set', 'pay', '--path', '/pay', '--rewrite', '/', '--method', 'post'],
      ...['--to', 'pay:version=v1=90', '--to', 'pay:version=v2=10'],
    );
    const asked = ['http://shop.test/pay/x?y=1', '--source', '192.0.2.1'];
    const told = await run('route', 'explain', 'post', ...asked);
    expect([told.code, told.stderr]).toEqual([0, '']);
    expect(told.stdout).toMatchInlineSnapshot(`
      "POST http://shop.test/pay/x?y=1 from 192.0.2.1
        default/shop  no: path (prefix /shop)
      route default/pay, by prefix /pay
        sent as /x?y=1, Host: shop.test
        to pay:version=v1: 90% (weight 90), weighted-round-robin
          pay-127.0.0.1-9001 127.0.0.1:9001  ready, 100% (weight 100)
        to pay:version=v2: 10% (weight 10), weighted-round-robin
          pay-127.0.0.1-9002 127.0.0.1:9002  ready, 100% (weight 100)
      forwarded
      "
    `);
    const other = await run('route', 'explain', 'GET', ...asked, '--header', 'X-A: b');
    expect(other.stdout).toMatchInlineSnapshot(`
      "GET http://shop.test/pay/x?y=1 from 192.0.2.1
        default/pay   no: method (prefix /pay)
        default/shop  no: path (prefix /shop)
      route default/input, by prefix /
        sent as /pay/x?y=1, Host: shop.test
        to orders: 0% (weight 3), weighted-round-robin
          no instances
      refused: 503 NO_HEALTHY_ENDPOINT: The service has no endpoint that may take requests
      "
    `);
    const json = await run('route', 'explain', 'POST', ...asked, '-o', 'json');
    expect(JSON.parse(json.stdout)).toMatchObject({
      route: { name: 'default/pay' },
      forwarded: { target: '/x?y=1' },
    });
    expect((await run('route', 'explain', 'POST', ...asked, '-o', 'name')).stdout).toBe(
      'default/pay\n',
    );
    const broken = await run('route', 'explain', 'GET', 'http://u@a/');
    expect(broken.stdout).toMatchInlineSnapshot(`
      "refused: 400 HOST_INVALID: The Host header or the authority of the target is invalid
      "
    `);
    const header = await run('route', 'explain', 'GET', 'http://a/', '--header', 'nonsense');
    expect([header.code, header.stderr]).toEqual([2, expect.stringContaining('Name: value')]);
  });

  test('refuses a file that is no route', async () => {
    const missing = await run('route', 'set', 'x', '-f', '/nonexistent.yaml');
    expect([missing.code, missing.stderr]).toEqual([
      1,
      expect.stringContaining('/nonexistent.yaml cannot be read'),
    ]);
    const text = await runToEnd(['route', 'set', 'x', '-f', '-'], {
      registry: small.url,
      stdin: 'just text',
    });
    expect([text.code, text.stderr]).toEqual([2, 'portolan: - holds no document.\n']);
  });
});
