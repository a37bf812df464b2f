import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { runToEnd, startCli } from '../test-support/run-cli.ts';
import { type SmallRegistry, startSmallRegistry } from '../test-support/small-registry.ts';

let small: SmallRegistry;
const run = (...args: string[]) => runToEnd(args, { registry: small.url });

beforeEach(async () => {
  small = await startSmallRegistry();
});
afterEach(() => small.close());

describe('portolan watch', () => {
  test('prints one JSON document a line with -o json, and ends with Ctrl-C and 0', async () => {
    const watch = startCli(['watch', 'web', '-o', 'json', '--from', '0'], { registry: small.url });
    await run('register', '--service', 'other', '--port', '1');
    await run('register', '--service', 'web', '--port', '2');
    await run('deregister', 'web-127.0.0.1-2');
    await watch.until('instance-deregistered');
    expect(watch.signal('SIGINT')).toBe(true);
    expect(await watch.ended).toBe(0);
    const documents = watch
      .stdout()
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(documents.map(({ type, instance }) => [type, instance.id])).toEqual([
      ['instance-registered', 'web-127.0.0.1-2'],
      ['instance-deregistered', 'web-127.0.0.1-2'],
    ]);
    expect(watch.signal('SIGINT')).toBe(false);
  });

  test('prints a line for people for every kind of change', async () => {
    const watch = startCli(['watch', '--from', '0'], { registry: small.url });
    await run('register', '--service', 'web', '--port', '2');
    await run('instance', 'disable', 'web-127.0.0.1-2');
    await run('route', 'set', 'shop', '--to', 'web');
    await run('route', 'delete', 'shop');
    await run('deregister', 'web-127.0.0.1-2');
    await watch.until('instance-deregistered');
    watch.signal('SIGTERM');
    expect(await watch.ended).toBe(0);
    const lines = watch.stdout().replace(/^\d\d:\d\d:\d\d\.\d{3}/gm, 'TIME');
    expect(lines).toMatchInlineSnapshot(`
      "TIME       1  instance-registered    web/web-127.0.0.1-2 127.0.0.1:2 passing
      TIME       2  instance-intent        web/web-127.0.0.1-2 127.0.0.1:2 passing
      TIME       3  route-put              shop
      TIME       4  route-deleted          shop
      TIME       5  instance-deregistered  web/web-127.0.0.1-2 127.0.0.1:2 requested
      "
    `);
  });

  test('goes on where it was when the registry comes back', async () => {
    const watch = startCli(['watch', '--from', '0', '-o', 'json'], { registry: small.url });
    await run('register', '--service', 'web', '--port', '2');
    await watch.until('web-127.0.0.1-2');
    const port = Number(new URL(small.url).port);
    await small.close();
    await watch.until('Trying again');
    small = await startSmallRegistry(port);
    await run('register', '--service', 'web', '--port', '3');
    await run('register', '--service', 'web', '--port', '4');
    await watch.until('web-127.0.0.1-4');
    watch.signal('SIGINT');
    expect(await watch.ended).toBe(0);
  });

  test('says at once that no registry is there', async () => {
    const { code, stderr } = await runToEnd(['watch'], { registry: 'http://127.0.0.1:9' });
    expect([code, stderr]).toEqual([5, expect.stringContaining('No registry at')]);
  });
});
