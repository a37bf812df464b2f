import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type GrpcDoor, openGrpcDoor } from './test-grpc/grpc-door.ts';

let door: GrpcDoor;

beforeAll(async () => {
  door = await openGrpcDoor();
  await door.native.registry.register(
    {
      service: { namespace: 'default', group: 'default', name: 'web' },
      id: 'web-1',
      address: '127.0.0.1',
      port: 80,
      lease: 'none',
    },
    { trusted: false },
  );
});
afterAll(() => door.close());

const METHODS = [
  'Register',
  'RegisterBatch',
  'Heartbeat',
  'Report',
  'Deregister',
  'SetIntent',
  'HandOver',
  'GetInstance',
  'ListInstances',
  'ListServices',
  'Watch',
] as const;

const word = fc.oneof(
  fc.constantFrom('web', 'web-1', 'default', '', '*', '..', 'a/b', 'x'.repeat(5_000), '\u0000'),
  fc.constantFrom('__proto__', 'constructor', 'default/default/web', '127.0.0.1:1', '::1'),
  fc.string({ unit: 'binary', maxLength: 12 }),
);
const number = fc.constantFrom(0, 1, 80, 65_535, 65_536, 2 ** 31, 4_294_967_295);
const long = fc.constantFrom(0, 1, 1_000, 2 ** 31, 2 ** 53, 1e18);
const map = fc.dictionary(word, word, { maxKeys: 3 });
const check = fc.record(
  {
    id: word,
    tcp: word,
    ttlMs: long,
    http: fc.record(
      { url: word, method: word, headers: map, expectStatus: fc.array(word, { maxLength: 2 }) },
      { requiredKeys: [] },
    ),
    grpc: fc.record({ target: word, tls: fc.boolean() }, { requiredKeys: [] }),
    intervalMs: long,
    rise: number,
    deregisterAfterMs: long,
  },
  { requiredKeys: [] },
);
const registration = fc.record(
  {
    service: word,
    address: fc.oneof(word, fc.constantFrom('127.0.0.1', '169.254.169.254', 'a.internal')),
    port: number,
    id: word,
    namespace: word,
    group: word,
    tags: fc.array(word, { maxLength: 3 }),
    metadata: map,
    weight: number,
    status: fc.nat(9),
    leaseProfile: fc.nat(9),
    leaseTimes: fc.record({ ttlMs: long, heartbeatMs: long }, { requiredKeys: [] }),
    checks: fc.array(check, { maxLength: 3 }),
    preflight: fc.boolean(),
    exclusive: fc.boolean(),
  },
  { requiredKeys: [] },
);
/** Every field of every request under its own name: a message takes those that it knows. */
const request = fc.record(
  {
    registration,
    registrations: fc.array(registration, { maxLength: 3 }),
    namespace: word,
    ids: fc.array(word, { maxLength: 3 }),
    id: word,
    status: fc.nat(9),
    checkId: word,
    output: word,
    metadata: map,
    removedMetadata: fc.array(word, { maxLength: 2 }),
    enabled: fc.boolean(),
    weight: number,
    maintenance: fc.record({ reason: word }),
    group: word,
    service: word,
    routableOnly: fc.boolean(),
    tags: fc.array(word, { maxLength: 2 }),
    labels: map,
    to: word,
    fromRevision: long,
  },
  { requiredKeys: [] },
);

/** What the table of errors and gRPC itself may answer to bad requests; not UNKNOWN, and not our own faults. */
const EXPECTED = new Set([0, 1, 3, 5, 6, 7, 9]);

test('whatever a message says gets its answer or its error, and an error changes nothing', async () => {
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...METHODS), request, async (method, said) => {
      const bytes = door.definition[method]?.requestSerialize(said) as Buffer;
      const { revision } = door.native.registry;
      const { code, details } = await door.send(method, bytes);
      expect([code, details]).toEqual([expect.toSatisfy((one) => EXPECTED.has(one)), details]);
      if (code > 1) expect(door.native.registry.revision).toBe(revision);
    }),
    { numRuns: 400 },
  );
  expect(door.faults).toEqual([]);
  expect(door.native.faults).toEqual([]);
}, 60_000);

test('bytes that are no message, or were one before they were hit, are survived', async () => {
  const valid = fc
    .tuple(fc.constantFrom(...METHODS), request)
    .map(([method, said]) => door.definition[method]?.requestSerialize(said) as Buffer);
  const hit = fc
    .tuple(valid, fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 5 }))
    .map(([bytes, edits]) => {
      const changed = Buffer.from(bytes);
      for (const [at, value] of edits) if (changed.length > 0) changed[at % changed.length] = value;
      return changed;
    });
  const bytes = fc.oneof(hit, fc.uint8Array({ maxLength: 300 }).map(Buffer.from));
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...METHODS), bytes, async (method, message) => {
      const { revision } = door.native.registry;
      const { code } = await door.send(method, message);
      // 13 is what the library says of bytes that it cannot read.
      expect(code === 13 || EXPECTED.has(code)).toBe(true);
      if (code > 1) expect(door.native.registry.revision).toBe(revision);
    }),
    { numRuns: 400 },
  );
  expect(door.faults).toEqual([]);
  expect(door.native.faults).toEqual([]);
  expect((await door.send('GetInstance', Buffer.alloc(0))).code).toBe(5);
}, 60_000);
