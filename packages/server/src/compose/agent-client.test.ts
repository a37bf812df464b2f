import { type ClientDeps, createClient, PortolanError } from '@portolan/client';
import { serviceId } from '@portolan/core';
import { seededRandom } from '@portolan/testing';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { wholeBody } from './test-control/control-caller.ts';
import { dialInMemory } from './test-rest/agent-peer.ts';
import { createNativeApi, type NativeApi } from './test-rest/native-api.ts';

let api: NativeApi;
let calls: string[];
beforeEach(async () => {
  api = await createNativeApi({
    registry: { protection: { enabled: false } },
  });
  calls = [];
});
afterEach(async () => {
  expect(api.faults).toEqual([]);
  await api.close();
  expect(api.clock.pending).toBe(0);
});

/** Lets time pass in small steps, and what answers outside of it answer. */
async function pass(ms: number, stepMs = 100): Promise<void> {
  for (let passed = 0; passed < ms; passed += stepMs) {
    await api.clock.advance(stepMs);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** A moment in which everything that was said is answered. */
const soon = () => pass(10, 1);

/** Plain HTTP to the same API, noted. */
const fetchApi: ClientDeps['fetch'] = async (url, init) => {
  const { pathname, search } = new URL(url);
  const method = init.method ?? 'GET';
  calls.push(`${method} ${pathname}`);
  const reply = await api.call({
    method,
    target: pathname + search,
    headers: init.body ? { 'content-type': 'application/json' } : {},
    body: typeof init.body === 'string' ? init.body : '',
  });
  return new Response(await wholeBody(reply), { status: reply.status, headers: reply.headers });
};

function aClient(dial: ClientDeps['dial'], urls = ['http://one']) {
  return createClient(
    { urls },
    { clock: api.clock, random: seededRandom(5), fetch: fetchApi, dial },
  );
}

const anInstance = (at: number) => ({
  service: 'web',
  address: '10.0.0.1',
  port: 8_000 + at,
  lease: { ttl: '9s', heartbeat: '3s' },
});

const WEB = { namespace: 'default', group: 'default', name: 'web' };
const registered = () =>
  api.registry.view({ namespace: 'default', group: 'default', name: 'web' })?.instances.length ?? 0;
const away = () =>
  new PortolanError('REGISTRY_UNREACHABLE', 'away', { status: 0, retryable: true });

describe('registrations of a process', () => {
  test('share one connection, renew in one frame a beat, and end it with the last of them', async () => {
    const memory = dialInMemory(api);
    const client = aClient(async (url) => memory.dial(url));
    const handles = Array.from({ length: 40 }, (_, at) => client.register(anInstance(at) as never));
    await soon();
    expect(handles.map(({ state }) => state)).toEqual(handles.map(() => 'registered'));
    const { revision } = api.registry;
    await pass(120_000);
    expect([memory.opened.length, registered(), api.registry.revision]).toEqual([1, 40, revision]);
    const closing = Promise.all(handles.map((handle) => handle.close()));
    await soon();
    await closing;
    expect([registered(), memory.opened[0]?.open, calls]).toEqual([0, false, []]);
  });

  test('come back over a new connection without being registered again, and without losing a lease', async () => {
    const memory = dialInMemory(api);
    const client = aClient(async (url) => memory.dial(url));
    const handles = Array.from({ length: 20 }, (_, at) => client.register(anInstance(at) as never));
    await soon();
    const { revision } = api.registry;
    memory.opened[0]?.cut();
    await pass(1_000);
    expect(memory.opened.length).toBe(2);
    await pass(60_000);
    expect([registered(), api.registry.revision]).toEqual([20, revision]);
    expect(handles.every(({ state }) => state === 'registered')).toBe(true);
    const closing = Promise.all(handles.map((handle) => handle.close()));
    await soon();
    await closing;
  });

  test('are registered again where the registry forgot them, soon after the connection is back', async () => {
    const memory = dialInMemory(api);
    const client = aClient(async (url) => memory.dial(url));
    const handles = Array.from({ length: 20 }, (_, at) => client.register(anInstance(at) as never));
    await soon();
    for (let at = 0; at < 10; at++) {
      await api.registry.deregister({ namespace: 'default', id: `web-10.0.0.1-${8_000 + at}` });
    }
    expect(registered()).toBe(10);
    memory.opened[0]?.cut();
    await pass(1_500);
    expect(registered()).toBe(20);
    const closing = Promise.all(handles.map((handle) => handle.close()));
    await soon();
    await closing;
  });

  test('notice a connection that carries nothing any more before a lease has run out', async () => {
    const memory = dialInMemory(api);
    const client = aClient(async (url) => memory.dial(url));
    const handles = Array.from({ length: 5 }, (_, at) => client.register(anInstance(at) as never));
    await soon();
    const { revision } = api.registry;
    memory.opened[0]?.mute();
    await pass(30_000);
    expect(memory.opened.map(({ open }) => open)).toEqual([false, true]);
    expect([registered(), api.registry.revision]).toEqual([5, revision]);
    const closing = Promise.all(handles.map((handle) => handle.close()));
    await soon();
    await closing;
  });

  test('can be made anew after all were given up while no registry was there', async () => {
    const memory = dialInMemory(api);
    let up = false;
    const client = aClient(async (url) => {
      if (!up) throw away();
      return memory.dial(url);
    });
    const first = client.register(anInstance(1) as never);
    first.ready.catch(() => undefined);
    await pass(2_000);
    await first.close();
    up = true;
    const second = client.register(anInstance(2) as never);
    await soon();
    expect([second.state, registered()]).toEqual(['registered', 1]);
    const closing = second.close();
    await soon();
    await closing;
  });

  test('dial with back-off while nobody answers, once for all of them', async () => {
    const memory = dialInMemory(api);
    let up = true;
    let dialled = 0;
    const client = aClient(async (url) => {
      dialled += 1;
      if (!up) throw away();
      return memory.dial(url);
    });
    const handles = Array.from({ length: 50 }, (_, at) => client.register(anInstance(at) as never));
    await soon();
    up = false;
    memory.opened[0]?.cut();
    await pass(60_000);
    expect(dialled).toBeGreaterThan(15);
    expect(dialled).toBeLessThan(60);
    expect(handles.every(({ state }) => state === 'away')).toBe(true);
    up = true;
    await pass(5_000);
    expect(registered()).toBe(50);
    const closing = Promise.all(handles.map((handle) => handle.close()));
    await soon();
    await closing;
  });

  test('go over plain HTTP where nobody speaks the protocol, and come back when somebody does', async () => {
    const memory = dialInMemory(api);
    let speaks = false;
    let dialled = 0;
    const client = aClient(async (url) => {
      dialled += 1;
      return speaks ? memory.dial(url) : undefined;
    });
    const handle = client.register(anInstance(1) as never);
    await pass(30_000);
    expect([dialled, handle.state, registered()]).toEqual([1, 'registered', 1]);
    expect(calls.filter((call) => call.startsWith('PUT ')).length).toBeGreaterThan(8);
    speaks = true;
    await pass(60_000);
    expect([dialled, memory.opened.length]).toEqual([2, 1]);
    calls.length = 0;
    await pass(60_000);
    expect([calls, handle.state, registered()]).toEqual([[], 'registered', 1]);
    const closing = handle.close();
    await soon();
    await closing;
  });

  test('leave a server that says GOAWAY for the next one', async () => {
    const stopping = new AbortController();
    const first = dialInMemory(api, stopping.signal);
    const second = dialInMemory(api);
    const client = aClient(
      async (url) => (url === 'http://one' ? first : second).dial(url),
      ['http://one', 'http://two'],
    );
    const handle = client.register(anInstance(1) as never);
    await soon();
    stopping.abort();
    await pass(1_000);
    expect([first.opened.map(({ open }) => open), second.opened.length]).toEqual([[false], 1]);
    await pass(30_000);
    expect([handle.state, registered()]).toEqual(['registered', 1]);
    const closing = handle.close();
    await soon();
    await closing;
  });

  test('wait as long as the registry asks them to, and some more', async () => {
    const memory = dialInMemory(api);
    const dialledAtMs: number[] = [];
    const client = aClient(async (url) => {
      dialledAtMs.push(api.clock.now());
      if (dialledAtMs.length > 1) return memory.dial(url);
      throw new PortolanError('STARTING', 'starting', {
        status: 503,
        retryable: true,
        retryAfterMs: 4_000,
      });
    });
    const handle = client.register(anInstance(1) as never);
    await pass(20_000);
    expect(dialledAtMs[1]).toBeGreaterThanOrEqual(4_000);
    expect(dialledAtMs[1]).toBeLessThanOrEqual(6_000);
    expect(registered()).toBe(1);
    const closing = handle.close();
    await soon();
    await closing;
  });

  test('hear with their renewals who is active in an exclusive service, also one that became so later', async () => {
    const memory = dialInMemory(api);
    const client = aClient(async (url) => memory.dial(url));
    const handles = Array.from({ length: 3 }, (_, at) => client.register(anInstance(at) as never));
    await soon();
    expect(handles.map(({ role }) => role)).toEqual([undefined, undefined, undefined]);
    await api.registry.settingsDocuments.put(serviceId(WEB), {
      namespace: 'default',
      group: 'default',
      service: 'web',
      exclusive: true,
    });
    await pass(3_500);
    const active = () => handles.filter(({ role }) => role?.role === 'active');
    expect(handles.map(({ role }) => role?.role).sort()).toEqual(['active', 'standby', 'standby']);
    const [before] = active();
    const closed = before?.close();
    await pass(4_000);
    await closed;
    expect(active()).toHaveLength(1);
    expect(active()[0]).not.toBe(before);
    expect(calls).toEqual([]);
    const closing = Promise.all(handles.map((handle) => handle.close()));
    await soon();
    await closing;
  });

  test('carry what they report, and hear of a refusal as over HTTP', async () => {
    const memory = dialInMemory(api);
    const client = aClient(async (url) => memory.dial(url));
    const handle = client.register({ service: 'web', address: '10.0.0.1', port: 1 });
    const refused = client.register({ service: 'no name', address: '10.0.0.1', port: 2 });
    const rejected = expect(refused.ready).rejects.toMatchObject({
      code: 'VALIDATION_FAILED',
      status: 400,
      problems: [{ path: '$.service' }, { path: '$.id' }],
    });
    await soon();
    await rejected;
    const delivered = handle.heartbeat({ status: 'critical', metadata: { version: 'v2' } });
    await soon();
    expect(await delivered).toBe(true);
    expect(api.registry.instance({ namespace: 'default', id: handle.id })).toMatchObject({
      status: 'critical',
      metadata: { version: 'v2' },
    });
    const closing = Promise.all([handle.close(), refused.close()]);
    await soon();
    await closing;
  });
});
