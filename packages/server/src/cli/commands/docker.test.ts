import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { runToEnd } from '../test-support/run-cli.ts';
import { type SmallRegistry, startSmallRegistry } from '../test-support/small-registry.ts';

describe('portolan docker', () => {
  let small: SmallRegistry;
  beforeAll(async () => {
    small = await startSmallRegistry();
  });
  afterAll(() => small.close());

  const run = (...args: readonly string[]) =>
    runToEnd(['docker', ...args], { registry: small.url });

  test('ps lists what became of containers', async () => {
    expect((await run('ps')).stdout).toMatchInlineSnapshot(`
      "NAME    STATE    STANDING    SERVICE  ADDRESS        REASON
      api     running  registered  api      172.17.0.2:80  -
      lonely  running  unroutable  lonely   -              port 80: none of its networks can be reached
      "
    `);
  });

  test('explain tells the rule, and what was passed over', async () => {
    expect((await run('explain', 'api')).stdout).toMatchInlineSnapshot(`
      "engine unix:///var/run/docker.sock (API 1.51)
      gateway on host: this process runs on the engine’s machine

      container api (aaaaaaaaaaaa), running
        registered
        exposed by: portolan labels
        service api: 172.17.0.2:80, instance api-aaaaaaaaaaaa-80
          port: label
          address: network bridge (bridge)
        route docker-api-00000000
        note: it was changed
      "
    `);
    expect((await run('explain', 'lonely')).stdout).toMatchInlineSnapshot(`
      "engine unix:///var/run/docker.sock (API 1.51)
      gateway on host: this process runs on the engine’s machine

      container lonely (bbbbbbbbbbbb), running
        unroutable: port 80: none of its networks can be reached
        exposed by: traefik labels
        service lonely: no address: none of its networks can be reached
          port: the only exposed port
          passed over: 10.0.1.3:80 (network mesh): an overlay
      "
    `);
  });

  test('explain of a container that is not there ends with 3 and says where to look', async () => {
    const { code, stderr } = await run('explain', 'nobody');
    expect([code, stderr]).toMatchInlineSnapshot(`
      [
        3,
        "portolan: No container or Swarm service "nobody" on the Docker Engine that is followed.
        \`portolan docker ps --all\` lists the containers there are.
      ",
      ]
    `);
  });
});
