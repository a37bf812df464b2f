import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { type PortolanProcess, startPortolan } from '../support/portolan-process.ts';
import {
  buildDiscovery,
  hasGo,
  type RunningDiscovery,
  startDiscovery,
} from '../support/prometheus-discovery.ts';
import { call, register } from '../support/registry-api.ts';

const BUILD_LIMIT_MS = 600_000;

function skipped(reason: string): false {
  process.stdout.write(`SKIPPED: e2e/consul/prometheus-discovery: ${reason}\n`);
  return false;
}

// Debian builds its Prometheus without Consul discovery, so the discovery itself is built from Prometheus's module.
describe.runIf(hasGo() || skipped('needs Go to build Prometheus’s discovery'))(
  'Prometheus’s consul_sd_configs',
  () => {
    let folder: string;
    let portolan: PortolanProcess;
    let all: RunningDiscovery | undefined;
    let tagged: RunningDiscovery | undefined;

    beforeAll(async () => {
      folder = await mkdtemp(join(tmpdir(), 'portolan-prometheus-'));
      const program = await buildDiscovery(folder);
      if (program === undefined) {
        skipped('Prometheus’s modules cannot be fetched');
        return;
      }
      portolan = await startPortolan();
      const server = new URL(portolan.control).host;
      all = startDiscovery(program, `{ server: '${server}', refresh_interval: 200ms }`);
      tagged = startDiscovery(
        program,
        `{ server: '${server}', refresh_interval: 200ms, tags: [metrics], node_meta: { zone: b } }`,
      );
    }, BUILD_LIMIT_MS);
    afterAll(async () => {
      await all?.stop();
      await tagged?.stop();
      await portolan?.dispose();
      await rm(folder, { recursive: true, force: true });
    });

    const follow = (discovery: RunningDiscovery, services: readonly string[]) =>
      eventually(
        () =>
          JSON.stringify([...discovery.groups.keys()].sort()) === JSON.stringify(services)
            ? true
            : undefined,
        15_000,
      ).catch((error: unknown) => {
        throw new Error(`${String(error)}: ${[...discovery.groups.keys()]}\n${discovery.log()}`);
      });

    test('finds what is registered with every label, and follows what comes and goes', async (context) => {
      if (!all || !tagged) return context.skip();
      await call(portolan.control, 'POST', '/register', {
        service: 'app',
        id: 'app-1',
        address: '127.0.0.1',
        port: 19_001,
        lease: 'none',
        tags: ['metrics'],
        metadata: { team: 'blue', zone: 'b' },
      });
      await follow(all, ['app']);
      await follow(tagged, ['app']);
      expect(all.groups.get('app')).toMatchObject({
        labels: { __meta_consul_dc: 'dc1', __meta_consul_service: 'app' },
        targets: [
          {
            __address__: '127.0.0.1:19001',
            __meta_consul_node: '127.0.0.1',
            __meta_consul_address: '127.0.0.1',
            __meta_consul_service_id: 'app-1',
            __meta_consul_service_address: '127.0.0.1',
            __meta_consul_service_port: '19001',
            __meta_consul_service_metadata_team: 'blue',
            __meta_consul_metadata_zone: 'b',
            __meta_consul_tags: ',metrics,',
            __meta_consul_health: 'passing',
          },
        ],
      });
      await register(portolan.control, 'other', 19_002, { id: 'other-1' });
      await follow(all, ['app', 'other']);
      await follow(tagged, ['app']);
      await call(portolan.control, 'DELETE', '/register/app-1');
      await follow(all, ['other']);
      await follow(tagged, []);
      expect(all.log()).toBe('');
      expect(tagged.log()).toBe('');
    });

    test('waits for changes: while nothing changes it asks nothing', async (context) => {
      if (!all) return context.skip();
      const asked = async () => {
        const metrics = await (await fetch(`${portolan.control}/metrics`)).text();
        const lines = metrics.matchAll(
          /^portolan_control_requests_total\{[^}]*adapter="consul"[^}]*\} (\d+)$/gm,
        );
        return [...lines].reduce((sum, [, count]) => sum + Number(count), 0);
      };
      // It settles first: each change is followed by one more question.
      await eventually(async () => {
        const before = await asked();
        await new Promise((resolve) => setTimeout(resolve, 2_000));
        return (await asked()) === before ? true : undefined;
      }, 20_000);
    });
  },
);
