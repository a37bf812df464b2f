import { gunzipSync } from 'node:zlib';
import { createEurekaAdapter } from '@portolan/adapters/eureka';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { bytesOf, wholeBody } from './test-control/control-caller.ts';
import { createDialectApi, type DialectApi, inTurns } from './test-eureka/dialect-api.ts';

interface Told {
  readonly instanceId: string;
  readonly app: string;
  readonly status: string;
  readonly actionType?: string;
}

interface Applications {
  readonly apps__hashcode: string;
  readonly application: readonly { readonly instance: readonly Told[] }[];
}

async function read(api: DialectApi, path: string): Promise<Applications> {
  const reply = await api.call({
    method: 'GET',
    target: `/eureka/apps${path}`,
    headers: { accept: 'application/json' },
  });
  expect(reply.status).toBe(200);
  return JSON.parse(await wholeBody(reply)).applications;
}

/** As Netflix' client counts, over what it holds. */
function hashOf(known: ReadonlyMap<string, Told>): string {
  const counts = new Map<string, number>();
  for (const { status } of known.values()) counts.set(status, (counts.get(status) ?? 0) + 1);
  return [...counts.keys()]
    .sort()
    .map((status) => `${status}_${counts.get(status)}_`)
    .join('');
}

const change = fc.oneof(
  fc.record({
    kind: fc.constant('register' as const),
    app: fc.constantFrom('a', 'b', 'c'),
    id: fc.nat(5),
    status: fc.constantFrom('UP', 'DOWN', 'STARTING', 'OUT_OF_SERVICE'),
  }),
  fc.record({
    kind: fc.constantFrom('cancel' as const, 'override' as const, 'clear' as const),
    id: fc.nat(5),
  }),
  fc.record({ kind: fc.constant('wait' as const), ms: fc.nat(70_000) }),
  fc.record({ kind: fc.constant('fetch' as const) }),
);

it('a client that applies deltas holds what a full answer holds, and its hash agrees', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(change, { minLength: 5, maxLength: 40 }), async (changes) => {
      const api = await createDialectApi((parts) => createEurekaAdapter({}, parts));
      const known = new Map<string, Told>();
      const keyOf = ({ app, instanceId }: Told) => `${app}/${instanceId}`;
      const fetchAll = async () => {
        known.clear();
        for (const { instance } of (await read(api, '/')).application) {
          for (const each of instance) known.set(keyOf(each), each);
        }
      };
      const fetchDelta = async () => {
        const { application, apps__hashcode } = await read(api, '/delta');
        for (const each of application.flatMap(({ instance }) => instance)) {
          if (each.actionType === 'DELETED') known.delete(keyOf(each));
          else known.set(keyOf(each), each);
        }
        expect(hashOf(known)).toBe(apps__hashcode);
      };
      await fetchAll();
      let sinceMs = 0;
      for (const step of changes) {
        if (step.kind === 'fetch' || sinceMs > 100_000) {
          // A client that polls less often than a change is told for fetches everything.
          if (sinceMs > 170_000) await fetchAll();
          else await fetchDelta();
          sinceMs = 0;
        }
        if (step.kind === 'fetch') continue;
        if (step.kind === 'wait') {
          await api.clock.advance(step.ms);
          sinceMs += step.ms;
          continue;
        }
        await play(api, step);
      }
      await fetchDelta();
      const held = [...known.values()].map((each) => `${keyOf(each)} ${each.status}`).sort();
      await fetchAll();
      expect(held).toEqual(
        [...known.values()].map((each) => `${keyOf(each)} ${each.status}`).sort(),
      );
      expect(api.faults).toEqual([]);
      await api.close();
    }),
    { numRuns: 60 },
  );
});

async function play(
  api: DialectApi,
  step:
    | {
        readonly kind: 'register';
        readonly app: string;
        readonly id: number;
        readonly status: string;
      }
    | { readonly kind: 'cancel' | 'override' | 'clear'; readonly id: number },
): Promise<void> {
  const ref = { namespace: 'default', id: `i-${step.id}` };
  if (step.kind === 'register') {
    const instance = {
      ...{ instanceId: ref.id, app: step.app, hostName: 'h', ipAddr: `10.0.0.${step.id + 1}` },
      ...{ status: step.status, port: { $: 80 }, dataCenterInfo: { name: 'MyOwn' } },
    };
    const body = JSON.stringify({ instance });
    const reply = await api.call({ method: 'POST', target: `/eureka/apps/${step.app}`, body });
    expect(reply.status).toBe(204);
    return;
  }
  if (!api.registry.instance(ref)) return;
  if (step.kind === 'cancel') await api.registry.deregister(ref);
  else if (step.kind === 'override') await api.registry.setIntent(ref, { enabled: false });
  else await api.registry.setIntent(ref, { enabled: true });
}

it('more changes than are remembered are not told as a delta, until they are old', async () => {
  const api = await createDialectApi((parts) => createEurekaAdapter({ deltaInstances: 2 }, parts));
  await read(api, '/delta');
  for (const port of [1, 2, 3]) await keep(api, port);
  const reply = await api.call({ method: 'GET', target: '/eureka/apps/delta' });
  expect(reply.status).toBe(403);
  await api.clock.advance(60_000);
  await keep(api, 1, { version: '2' });
  await api.clock.advance(180_000 - 60_000 + 1);
  expect((await read(api, '/delta')).application).toHaveLength(1);
  await api.close();
});

async function keep(api: DialectApi, port: number, metadata = {}): Promise<void> {
  const service = { namespace: 'default', group: 'default', name: 'a' };
  const input = { service, address: '10.0.0.1', port, metadata, lease: 'none' as const };
  await api.registry.register(input, { trusted: false });
}

it('who asks for gzip is sent gzip, a long catalogue in pieces', async () => {
  const api = await createDialectApi((parts) => createEurekaAdapter({}, parts));
  const inputs = Array.from({ length: 1_000 }, (_, at) => ({
    service: { namespace: 'default', group: 'default', name: `s-${at % 50}` },
    address: `10.1.${at >> 8}.${at & 255}`,
    port: 80,
    metadata: { text: 'x'.repeat(200) },
  }));
  await api.registry.registerBatch(inputs, { trusted: false });
  const target = '/eureka/apps/';
  const plain = await api.call({ method: 'GET', target });
  const zipped = await api.call({ method: 'GET', target, headers: { 'accept-encoding': 'gzip' } });
  expect(typeof plain.body).toBe('object');
  expect(zipped.headers['content-encoding']).toBe('gzip');
  const text = await inTurns(api, wholeBody(plain));
  expect(gunzipSync(await inTurns(api, bytesOf(zipped))).toString()).toBe(text);
  expect(text.match(/<instance>/g)).toHaveLength(1_000);
  // One service of many: others get their turn while it is counted and written.
  const large = Array.from({ length: 3_000 }, (_, at) => ({
    service: { namespace: 'default', group: 'default', name: 'large' },
    address: `10.2.${at >> 8}.${at & 255}`,
    port: 80,
  }));
  await api.registry.registerBatch(large, { trusted: false });
  const all = await inTurns(api, api.call({ method: 'GET', target }));
  const written = await inTurns(api, wholeBody(all));
  expect(written).toContain('<apps__hashcode>UP_4000_</apps__hashcode>');
  expect(written.match(/<instance>/g)).toHaveLength(4_000);
  const vip = await inTurns(api, api.call({ method: 'GET', target: '/eureka/vips/large' }));
  expect((await inTurns(api, wholeBody(vip))).match(/<instance>/g)).toHaveLength(3_000);
  const small = await api.call({
    method: 'GET',
    target: '/eureka/apps/S-1',
    headers: { 'accept-encoding': 'gzip, deflate' },
  });
  expect(gunzipSync(await bytesOf(small)).toString()).toContain('<name>S-1</name>');
  await api.close();
});
