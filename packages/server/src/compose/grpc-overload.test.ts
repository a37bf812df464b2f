import { afterEach, expect, test } from 'vitest';
import type { AdmissionOptions } from '../control/admission.ts';
import { type GrpcDoor, openGrpcDoor } from './test-grpc/grpc-door.ts';

const OK = 0;
const RESOURCE_EXHAUSTED = 8;

let door: GrpcDoor;
let release: () => void;
afterEach(async () => {
  release();
  await door.close();
});

/** A door with one instance, whose writes wait for `release` from now on. */
async function openHeldDoor(overload: Partial<AdmissionOptions>): Promise<void> {
  door = await openGrpcDoor(overload);
  await ask('Register', registration(80));
  const { store } = door.native;
  const held = Promise.withResolvers<void>();
  release = held.resolve;
  const commit = store.commit.bind(store);
  store.commit = async (ops, guards) => {
    await held.promise;
    return commit(ops, guards);
  };
}

const registration = (port: number) => ({
  registration: { service: 'web', id: `web-${port}`, address: '127.0.0.1', port },
});

function ask(method: string, said: object) {
  return door.send(method, door.definition[method]?.requestSerialize(said) as Buffer);
}

const READS = [
  ['GetInstance', { id: 'web-80' }],
  ['ListInstances', {}],
  ['ListServices', {}],
  ['Watch', {}],
] as const;
const WRITES = [
  ['Register', registration(81)],
  ['RegisterBatch', { registrations: [registration(82).registration] }],
  ['SetIntent', { id: 'web-80', enabled: true }],
  ['Deregister', { id: 'web-80' }],
] as const;
const HEARTBEATS = [
  ['Heartbeat', { ids: ['web-80'] }],
  ['Report', { id: 'web-80' }],
] as const;

test('reads and writes are refused before anything is done and told when to come back, and heartbeats are taken', async () => {
  await openHeldDoor({ requests: 1 });
  const waiting: Promise<{ readonly code: number }>[] = [];
  // From twice what is allowed some are refused: what is admitted waits.
  while (door.admission.pressure < 4) {
    waiting.push(ask('Register', registration(1_000 + waiting.length)));
    await new Promise((resolve) => setImmediate(resolve));
  }
  const { revision } = door.native.registry;
  for (const [method, said] of [...READS, ...WRITES]) {
    const { code, details, pushbackMs, answers } = await ask(method, said);
    expect([method, code, answers]).toEqual([method, RESOURCE_EXHAUSTED, []]);
    expect(details).toContain('control.overload');
    expect([1_000, 2_000, 3_000]).toContain(pushbackMs);
  }
  for (const [method, said] of HEARTBEATS) {
    expect([method, (await ask(method, said)).code]).toEqual([method, OK]);
  }
  expect(door.native.registry.revision).toBe(revision);
  release();
  const codes = new Set((await Promise.all(waiting)).map(({ code }) => code));
  expect([OK, RESOURCE_EXHAUSTED]).toEqual(expect.arrayContaining([...codes]));
  expect(door.admission.pressure).toBe(0);
  for (const [method, said] of [...HEARTBEATS, ...WRITES]) {
    expect([method, (await ask(method, said)).code]).toEqual([method, OK]);
  }
  expect(door.faults).toEqual([]);
});

test('the bytes of what waits count as well, and far above the limit heartbeats are refused too', async () => {
  await openHeldDoor({ bytes: 1 });
  const waiting = ask('Register', registration(81));
  await expect.poll(() => door.admission.pressure).toBeGreaterThan(16);
  const stream = await ask('Heartbeat', { ids: ['web-80'] });
  expect([stream.code, stream.answers]).toEqual([RESOURCE_EXHAUSTED, []]);
  release();
  expect((await waiting).code).toBe(OK);
  expect(door.admission.pressure).toBe(0);
  expect((await ask('GetInstance', { id: 'web-80' })).code).toBe(OK);
});
