import {
  AGENT_LIMITS,
  AGENT_PROTOCOL,
  encodeFrame,
  encodeJsonFrame,
  FRAME,
  RegistryError,
} from '@portolan/core';
import { settle } from '@portolan/testing';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type AgentPeer, openAgent } from './test-rest/agent-peer.ts';
import { createNativeApi, type NativeApi } from './test-rest/native-api.ts';

let api: NativeApi;
beforeEach(async () => {
  api = await createNativeApi();
});
afterEach(async () => {
  expect(api.faults).toEqual([]);
  await api.close();
  expect(api.clock.pending).toBe(0);
});

const utf8 = new TextEncoder();
const anInstance = (at: number, over: object = {}) => ({
  service: 'web',
  address: '10.0.0.1',
  port: 8_000 + at,
  lease: 'fast',
  ...over,
});
const someInstances = (count: number, from = 0) => ({
  slots: Array.from({ length: count }, (_, at) => from + at),
  instances: Array.from({ length: count }, (_, at) => anInstance(from + at)),
});

async function until(peer: AgentPeer, count: number): Promise<void> {
  for (let turn = 0; turn < 200 && peer.seen.length < count; turn++) {
    await settle();
    await api.clock.advance(0);
  }
}

/** Opens a connection with three instances in slots 0 to 2. */
async function withThree(): Promise<AgentPeer> {
  const peer = openAgent(api);
  peer.frame(FRAME.REGISTER, 1, someInstances(3));
  await until(peer, 2);
  return peer;
}

const registered = () =>
  api.registry.view({ namespace: 'default', group: 'default', name: 'web' })?.instances.length ?? 0;

describe('the agent protocol', () => {
  test('greets with what the connection may hold', async () => {
    const peer = openAgent(api);
    await until(peer, 1);
    expect(peer.seen).toEqual([
      {
        name: 'HELLO',
        request: 0,
        body: {
          protocol: AGENT_PROTOCOL,
          limits: AGENT_LIMITS,
          pingMs: 20_000,
          idleTimeoutMs: 60_000,
        },
      },
    ]);
    peer.vanish();
  });

  test('registers many in one frame, each well or not, and acknowledges them with what HTTP answers', async () => {
    const peer = openAgent(api);
    peer.frame(FRAME.REGISTER, 1, {
      slots: [5, 6, 7],
      instances: [anInstance(1), anInstance(2, { port: 0 }), anInstance(3, { color: 'blue' })],
    });
    await until(peer, 2);
    const reply = await api.call({
      method: 'POST',
      target: '/register',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(anInstance(1)),
    });
    const { changed: _c, created: _n, ...answer } = JSON.parse(String(reply.body));
    expect(peer.seen[1]).toMatchObject({
      name: 'RESULTS',
      request: 1,
      body: {
        results: [
          { ok: true, created: true, ...answer },
          {
            ok: false,
            error: {
              code: 'VALIDATION_FAILED',
              status: 400,
              errors: [{ path: '$.port' }],
            },
          },
          { ok: false, error: { errors: [{ path: '$.color' }] } },
        ],
      },
    });
    expect(registered()).toBe(1);
    peer.vanish();
  });

  test('acknowledges briefly where that is asked for', async () => {
    const peer = openAgent(api);
    peer.frame(FRAME.REGISTER, 1, { ...someInstances(1), brief: true });
    await until(peer, 2);
    const { revision } = api.registry;
    expect(peer.seen[1]?.body).toEqual({
      results: [
        {
          ok: true,
          id: 'web-10.0.0.1-8000',
          created: true,
          changed: true,
          revision,
          heartbeatMs: 5_000,
        },
      ],
    });
    peer.vanish();
  });

  test('renews all with an empty frame, and says which slots have to register again', async () => {
    const peer = await withThree();
    await api.clock.advance(8_000);
    peer.frame(FRAME.RENEW, 2);
    await api.clock.advance(8_000);
    expect(registered()).toBe(3);
    await api.registry.deregister({ namespace: 'default', id: 'web-10.0.0.1-8001' });
    peer.frame(FRAME.RENEW, 3);
    peer.frame(FRAME.RENEW, 4, [0, 1, 9]);
    await until(peer, 5);
    expect(peer.seen.slice(2)).toEqual([
      { name: 'RENEWED', request: 2, body: [3] },
      { name: 'RENEWED', request: 3, body: [2, 1] },
      { name: 'RENEWED', request: 4, body: [1, 1, 9] },
    ]);
    peer.vanish();
  });

  test('attaches instances that are registered already without writing anything', async () => {
    const first = await withThree();
    first.vanish();
    const { revision } = api.registry;
    const peer = openAgent(api);
    peer.frame(FRAME.ATTACH, 1, {
      slots: [10, 11],
      ids: ['web-10.0.0.1-8000', 'web-10.0.0.1-9999'],
    });
    // A slot is bound once that is acknowledged.
    await until(peer, 2);
    peer.frame(FRAME.RENEW, 2);
    await until(peer, 3);
    expect(peer.seen.slice(1)).toEqual([
      { name: 'RENEWED', request: 1, body: [1, 11] },
      { name: 'RENEWED', request: 2, body: [1] },
    ]);
    expect(api.registry.revision).toBe(revision);
    peer.vanish();
  });

  test('reports status and metadata, and deregisters, item by item', async () => {
    const peer = await withThree();
    peer.frame(FRAME.REPORT, 2, {
      slots: [0, 1, 9],
      reports: [{ status: 'critical' }, { metadata: { version: 'v2' } }, {}],
    });
    peer.frame(FRAME.DEREGISTER, 3, [2, 9]);
    await until(peer, 4);
    // Answers come when they are there: numbers tell which is which.
    const byNumber = new Map(peer.seen.map((frame) => [frame.request, frame.body]));
    expect(byNumber.get(2)).toMatchObject({
      results: [
        { ok: true, status: 'critical' },
        { ok: true, id: 'web-10.0.0.1-8001' },
        { ok: false, error: { code: 'INSTANCE_NOT_FOUND' } },
      ],
    });
    expect(byNumber.get(3)).toMatchObject({
      results: [
        { ok: true, id: 'web-10.0.0.1-8002' },
        { ok: false, error: { code: 'INSTANCE_NOT_FOUND' } },
      ],
    });
    expect(registered()).toBe(2);
    peer.vanish();
  });

  test('lets leases run when the connection breaks', async () => {
    const peer = await withThree();
    peer.vanish();
    await api.clock.advance(8_000);
    expect(registered()).toBe(3);
    await api.clock.advance(60_000);
    peer.vanish();
    expect(
      api.registry.instance({ namespace: 'default', id: 'web-10.0.0.1-8000' }),
    ).toBeUndefined();
  });

  test('answers frame by frame the same, however the bytes are split', async () => {
    const bytes = [
      encodeJsonFrame(FRAME.REGISTER, 1, someInstances(2)),
      encodeFrame(FRAME.RENEW, 2),
      encodeFrame(FRAME.PING, 3, utf8.encode('hello')),
    ].flatMap((frame) => [...frame]);
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat(bytes.length), { maxLength: 20 }), async (cuts) => {
        const peer = openAgent(api);
        let from = 0;
        for (const to of [...cuts.sort((a, b) => a - b), bytes.length]) {
          peer.say(Uint8Array.from(bytes.slice(from, to)));
          from = Math.max(from, to);
        }
        await until(peer, 4);
        expect(new Set(peer.seen.map(({ name }) => name))).toEqual(
          new Set(['HELLO', 'RESULTS', 'RENEWED', 'PONG']),
        );
        peer.vanish();
      }),
      { numRuns: 30 },
    );
  });
});

describe('a frame that breaks a rule', () => {
  const oversized = encodeFrame(FRAME.REGISTER, 9, new Uint8Array(1));
  new DataView(oversized.buffer).setUint32(0, AGENT_LIMITS.frameBytes + 1);
  const unknown = encodeFrame(FRAME.PING, 9);
  unknown[4] = 77;
  const text = (type: 1 | 2, json: string) => encodeFrame(type, 9, utf8.encode(json));

  test.each([
    ['announces too much', oversized, 'BODY_TOO_LARGE'],
    ['has an unknown type', unknown, 'FRAME_INVALID'],
    ['comes from servers only', encodeFrame(FRAME.HELLO, 9), 'FRAME_INVALID'],
    ['repeats a number', encodeFrame(FRAME.RENEW, 1), 'FRAME_INVALID'],
    ['has no number', encodeFrame(FRAME.RENEW, 0), 'FRAME_INVALID'],
    ['holds half a slot', encodeFrame(FRAME.RENEW, 9, new Uint8Array(6)), 'FRAME_INVALID'],
    [
      'names a slot beyond the last',
      encodeFrame(FRAME.RENEW, 9, Uint8Array.of(0, 1, 0, 0)),
      'FRAME_INVALID',
    ],
    ['deregisters nothing', encodeFrame(FRAME.DEREGISTER, 9), 'FRAME_INVALID'],
    [
      'deregisters twice',
      encodeFrame(FRAME.DEREGISTER, 9, Uint8Array.of(0, 0, 0, 1, 0, 0, 0, 1)),
      'FRAME_INVALID',
    ],
    ['pings with too much', encodeFrame(FRAME.PING, 9, new Uint8Array(9)), 'FRAME_INVALID'],
    ['is no JSON', text(1, '{"slots":[1],"instances":[{]}'), 'BODY_MALFORMED'],
    ['repeats a key', text(1, '{"slots":[1],"slots":[2],"instances":[{}]}'), 'BODY_MALFORMED'],
    ['reaches for the prototype', text(1, '{"__proto__":{},"slots":[1]}'), 'BODY_FORBIDDEN_KEY'],
    ['nests too deeply', text(1, '['.repeat(200) + ']'.repeat(200)), 'BODY_TOO_DEEP'],
    ['is not UTF-8', encodeFrame(1, 9, Uint8Array.of(0x22, 0xff, 0x22)), 'BODY_NOT_UTF8'],
  ])('and %s is told so, the connection ends, and nothing changes', async (_how, bytes, code) => {
    const peer = await withThree();
    const { revision } = api.registry;
    peer.say(bytes);
    // What follows is not read any more.
    peer.frame(FRAME.DEREGISTER, 10, [0]);
    await until(peer, 4);
    expect(peer.seen.slice(2)).toMatchObject([{ name: 'ERROR', request: 0, body: { code } }]);
    expect([peer.ended, api.registry.revision, registered()]).toEqual([true, revision, 3]);
    peer.vanish();
  });

  test.each([
    ['more slots than instances', { slots: [1, 2], instances: [anInstance(1)] }],
    ['a slot twice', { slots: [1, 1], instances: [anInstance(1), anInstance(2)] }],
    ['an unknown key', { slots: [1], instances: [anInstance(1)], color: 'blue' }],
    ['a slot out of range', { slots: [AGENT_LIMITS.slots], instances: [anInstance(1)] }],
  ])('by %s is refused as a whole, and the connection goes on', async (_how, document) => {
    const peer = openAgent(api);
    peer.frame(FRAME.REGISTER, 1, document);
    peer.frame(FRAME.RENEW, 2);
    await until(peer, 3);
    expect(peer.seen.slice(1)).toMatchObject([
      { name: 'ERROR', request: 1, body: { code: 'VALIDATION_FAILED', status: 400 } },
      { name: 'RENEWED', request: 2, body: [0] },
    ]);
    expect([peer.ended, registered()]).toEqual([false, 0]);
    peer.vanish();
  });

  test('because only half of it came is told so in time', async () => {
    const peer = await withThree();
    peer.say(encodeFrame(FRAME.DEREGISTER, 9, Uint8Array.of(0, 0, 0, 1)).subarray(0, 11));
    await api.clock.advance(9_000);
    expect(peer.ended).toBe(false);
    await api.clock.advance(6_000);
    expect(peer.seen.at(-1)).toMatchObject({
      name: 'ERROR',
      request: 0,
      body: { code: 'PEER_SILENT' },
    });
    await api.clock.advance(15_000);
    expect([peer.ended, peer.cut]).toEqual([true, true]);
  });

  test('because its sender ended in the middle of it is told so', async () => {
    const peer = await withThree();
    peer.say(encodeFrame(FRAME.RENEW, 9).subarray(0, 5));
    peer.end();
    await until(peer, 3);
    expect(peer.seen.at(-1)).toMatchObject({ name: 'ERROR', body: { code: 'FRAME_INVALID' } });
    expect(peer.ended).toBe(true);
    peer.vanish();
  });

  test('never harms the server, whatever the bytes are', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.uint8Array({ maxLength: 80 }), { maxLength: 10 }),
        async (noise) => {
          const peer = openAgent(api);
          for (const piece of noise) peer.say(piece);
          await settle();
          expect(registered()).toBe(0);
          peer.vanish();
        },
      ),
    );
  });
});

describe('a connection of an agent', () => {
  test('is read no further than its window while writes wait, and on when they are done', async () => {
    const peer = openAgent(api);
    const release = Promise.withResolvers<void>();
    const commit = api.store.commit.bind(api.store);
    api.store.commit = async (ops, guards) => {
      await release.promise;
      return commit(ops, guards);
    };
    const many = AGENT_LIMITS.window * 3;
    for (let at = 0; at < many; at++) peer.frame(FRAME.REGISTER, at + 1, someInstances(1, at));
    await until(peer, 2);
    expect([peer.reading, peer.seen.length]).toEqual([false, 1]);
    release.resolve();
    await until(peer, many + 1);
    expect([peer.reading, peer.seen.length, registered()]).toEqual([true, many + 1, many]);
    peer.vanish();
  });

  test('whose answers are not taken is read no further, and cut off in the end', async () => {
    const peer = await withThree();
    peer.stopTaking();
    peer.frame(FRAME.RENEW, 2);
    await until(peer, 3);
    for (let at = 0; at < 100; at++) peer.frame(FRAME.REGISTER, 3 + at, someInstances(1, 10 + at));
    await api.clock.advance(1_000);
    expect([peer.reading, registered()]).toEqual([false, 3]);
    await api.clock.advance(28_000);
    expect(peer.cut).toBe(false);
    await api.clock.advance(5_000);
    expect(peer.cut).toBe(true);
  });

  test('goes on when its answers are taken again', async () => {
    const peer = await withThree();
    peer.stopTaking();
    peer.frame(FRAME.RENEW, 2);
    await until(peer, 3);
    peer.frame(FRAME.RENEW, 3);
    peer.takeAgain();
    await until(peer, 3);
    expect(peer.seen.at(-1)).toEqual({ name: 'RENEWED', request: 3, body: [3] });
    peer.vanish();
  });

  test('that is silent is told so and ended, and a ping is enough to be heard', async () => {
    const peer = openAgent(api);
    for (let at = 0; at < 10; at++) {
      await api.clock.advance(50_000);
      peer.frame(FRAME.PING, 0);
    }
    expect([peer.ended, peer.seen.at(-1)?.name]).toEqual([false, 'PONG']);
    await api.clock.advance(63_000);
    expect(peer.seen.at(-1)).toMatchObject({
      name: 'ERROR',
      request: 0,
      body: { code: 'PEER_SILENT' },
    });
    await api.clock.advance(15_000);
    expect(peer.cut).toBe(true);
  });

  test('is told of a shutdown, and gets the answers to what it asked before', async () => {
    const stopping = new AbortController();
    const peer = openAgent(api, { shutdown: stopping.signal });
    const release = Promise.withResolvers<void>();
    const commit = api.store.commit.bind(api.store);
    api.store.commit = async (ops, guards) => {
      await release.promise;
      return commit(ops, guards);
    };
    peer.frame(FRAME.REGISTER, 1, someInstances(2));
    await until(peer, 1);
    stopping.abort();
    peer.frame(FRAME.REGISTER, 2, someInstances(2, 10));
    await until(peer, 3);
    expect(peer.seen.slice(1)).toMatchObject([
      { name: 'GOAWAY', request: 0, body: { code: 'SHUTTING_DOWN', retryable: true } },
      { name: 'ERROR', request: 2, body: { code: 'SHUTTING_DOWN' } },
    ]);
    expect(peer.ended).toBe(false);
    release.resolve();
    await until(peer, 4);
    expect(peer.seen[3]).toMatchObject({ name: 'RESULTS', request: 1 });
    expect([peer.ended, registered()]).toEqual([true, 2]);
    peer.vanish();
  });

  test('is refused by the same admission as everybody else, with the time to wait, and goes on', async () => {
    let overloaded = true;
    let underWay = 0;
    const peer = openAgent(api, {
      admission: {
        enter(kind) {
          if (overloaded && kind === 'write') {
            throw new RegistryError('CONTROL_OVERLOADED', { detail: 'busy', retryAfterMs: 2_000 });
          }
          underWay += 1;
        },
        hold: () => undefined,
        leave() {
          underWay -= 1;
        },
      },
    });
    peer.frame(FRAME.REGISTER, 1, someInstances(1));
    peer.frame(FRAME.RENEW, 2);
    overloaded = false;
    peer.frame(FRAME.REGISTER, 3, someInstances(1));
    await until(peer, 4);
    const byNumber = new Map(peer.seen.map((frame) => [frame.request, frame]));
    expect(byNumber.get(1)).toMatchObject({
      name: 'ERROR',
      body: { code: 'CONTROL_OVERLOADED', status: 429, retryAfterMs: 2_000 },
    });
    expect([byNumber.get(2)?.name, byNumber.get(3)?.name]).toEqual(['RENEWED', 'RESULTS']);
    expect([registered(), underWay]).toEqual([1, 0]);
    peer.vanish();
  });
});
