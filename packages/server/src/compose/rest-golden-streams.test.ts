import type { ControlReply } from '@portolan/core';
import { settle } from '@portolan/testing';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { wholeBody } from './test-control/control-caller.ts';
import { createNativeApi, type NativeApi } from './test-rest/native-api.ts';

interface SseEvent {
  readonly id: string | undefined;
  readonly event: string;
  // biome-ignore lint/suspicious/noExplicitAny: tests look at the wire, whatever it holds
  readonly data: any;
}

/** A reader that takes one chunk at a time, as slowly as the test likes. */
class Reader {
  readonly comments: string[] = [];
  readonly #chunks: AsyncIterator<string | Uint8Array>;
  readonly #events: SseEvent[] = [];
  #text = '';
  #pull: Promise<boolean> | undefined;

  constructor(reply: ControlReply) {
    expect(reply.headers['content-type']).toBe('text/event-stream');
    const body = reply.body as AsyncIterable<string | Uint8Array>;
    this.#chunks = body[Symbol.asyncIterator]();
  }

  /** The next event; undefined when there is none now, null when the stream is over. */
  async next(): Promise<SseEvent | undefined | null> {
    for (;;) {
      const event = this.#events.shift();
      if (event) return event;
      this.#pull ??= this.#take();
      const state = await Promise.race([this.#pull, settle().then(() => 'quiet' as const)]);
      if (state === 'quiet') return undefined;
      this.#pull = undefined;
      if (!state) return null;
    }
  }

  async all(): Promise<SseEvent[]> {
    const found: SseEvent[] = [];
    for (let event = await this.next(); event; event = await this.next()) found.push(event);
    return found;
  }

  async #take(): Promise<boolean> {
    const { value, done } = await this.#chunks.next();
    if (done) return false;
    this.#text += typeof value === 'string' ? value : new TextDecoder().decode(value);
    const blocks = this.#text.split('\n\n');
    this.#text = blocks.pop() ?? '';
    for (const block of blocks) {
      if (block.startsWith(':')) this.comments.push(block);
      const data = /^data: (.*)$/m.exec(block)?.[1];
      if (data === undefined) continue;
      this.#events.push({
        id: /^id: (.*)$/m.exec(block)?.[1],
        event: /^event: (.*)$/m.exec(block)?.[1] ?? '',
        data: JSON.parse(data),
      });
    }
    return true;
  }
}

let api: NativeApi;
let abort: AbortController;
beforeEach(async () => {
  api = await createNativeApi({
    registry: { events: { windowSize: 40 } },
    adapter: { streamBacklogBytes: 4_096, maxWatchers: 3 },
  });
  abort = new AbortController();
});
afterEach(async () => {
  abort.abort();
  await settle();
  await api.close();
  expect(api.faults).toEqual([]);
  expect(api.clock.pending).toBe(0);
});

async function open(target: string, headers: Record<string, string> = {}): Promise<Reader> {
  const accept = { accept: 'text/event-stream', ...headers };
  const reply = await api.call({ method: 'GET', target, headers: accept, signal: abort.signal });
  expect(reply.status).toBe(200);
  return new Reader(reply);
}

async function register(service: string, port: number): Promise<number> {
  const body = JSON.stringify({ service, address: '127.0.0.1', port, lease: 'none' });
  const reply = await api.call({ method: 'POST', target: '/register', body });
  return JSON.parse(await wholeBody(reply)).revision;
}

async function putRoute(name: string, service: string): Promise<void> {
  const body = JSON.stringify({ to: [{ service }] });
  await api.call({ method: 'PUT', target: `/api/v1/routes/${name}`, body });
}

const WEB = '/api/v1/services/web/instances';

describe('a stream of views', () => {
  it('begins with the present view and sends each change, but not those of other services', async () => {
    await register('web', 1);
    const reader = await open(WEB);
    expect(await reader.next()).toMatchObject({ event: 'view', id: '1', data: { revision: 1 } });
    await register('other', 1);
    expect(await reader.next()).toBeUndefined();
    const revision = await register('web', 2);
    const change = await reader.next();
    expect(change?.id).toBe(String(revision));
    expect(change?.data.instances).toHaveLength(2);
  });

  it('gives a slow reader the newest view only', async () => {
    const reader = await open(WEB);
    await reader.next();
    for (let port = 1; port <= 50; port++) await register('web', port);
    const events = await reader.all();
    expect(events.length).toBeLessThanOrEqual(2);
    expect(events.at(-1)?.data.instances).toHaveLength(50);
  });

  it('resumes without repeating what the reader knows, and with what it missed', async () => {
    const first = await register('web', 1);
    expect(await (await open(WEB, { 'last-event-id': String(first) })).next()).toBeUndefined();
    const second = await register('web', 2);
    const late = await open(`${WEB}?from=${first}`);
    expect(await late.next()).toMatchObject({ id: String(second) });
  });

  it('tells that the last instance has gone', async () => {
    await register('web', 1);
    const reader = await open(WEB);
    await reader.next();
    await api.call({ method: 'DELETE', target: '/register/web-127.0.0.1-1' });
    expect(await reader.next()).toMatchObject({ event: 'view', data: { instances: [] } });
  });

  it('filters, and carries a comment when nothing happens', async () => {
    await register('web', 1);
    const reader = await open(`${WEB}?tag=none`);
    expect((await reader.next())?.data.instances).toEqual([]);
    await reader.next();
    await api.clock.advance(15_000);
    await reader.next();
    expect(reader.comments).toEqual([': keep-alive']);
  });

  it('takes no more watchers than its budget, and takes another when one has left', async () => {
    for (let at = 0; at < 3; at++) await open(WEB);
    const call = { method: 'GET', target: `${WEB}?watch=true` };
    const refused = await api.call(call);
    expect(refused.status).toBe(503);
    expect(refused.headers['retry-after']).toBe('5');
    expect(JSON.parse(await wholeBody(refused)).code).toBe('TOO_MANY_WATCHERS');
    abort.abort();
    const again = new AbortController();
    expect((await api.call({ ...call, signal: again.signal })).status).toBe(200);
    again.abort();
  });
});

describe('a long poll', () => {
  const poll = (index: number, wait: string) =>
    api.call({ method: 'GET', target: `${WEB}?index=${index}&wait=${wait}`, signal: abort.signal });

  it('answers at a change of its service, not of another', async () => {
    const revision = await register('web', 1);
    let answered = false;
    const waiting = poll(revision, '30s').finally(() => {
      answered = true;
    });
    await register('other', 1);
    expect(answered).toBe(false);
    const next = await register('web', 2);
    expect((await waiting).headers['x-portolan-revision']).toBe(String(next));
  });

  it('answers with the present view when its wait is over, and holds no timer after', async () => {
    const revision = await register('web', 1);
    const waiting = poll(revision, '2s');
    await api.clock.advance(2_000);
    expect(JSON.parse(await wholeBody(await waiting)).revision).toBe(revision);
    expect(api.clock.pending).toBe(0);
  });

  it('for a service that is not there answers when it comes', async () => {
    const elsewhere = await register('other', 1);
    const waiting = poll(elsewhere, '30s');
    await register('web', 1);
    expect(JSON.parse(await wholeBody(await waiting)).instances).toHaveLength(1);
  });

  it('counts a longer wait than ten minutes as ten minutes', async () => {
    const revision = await register('web', 1);
    const waiting = poll(revision, '2h');
    await api.clock.advance(600_000);
    expect((await waiting).status).toBe(200);
  });
});

describe('the mirror stream', () => {
  it('sends everything, says ready, then what changes', async () => {
    await register('web', 1);
    await register('db', 2);
    await putRoute('r', 'web');
    const reader = await open('/api/v1/watch');
    const opening = await reader.all();
    expect(opening.map(({ event }) => event)).toEqual([
      'sync',
      'view',
      'view',
      'routes',
      'policies',
      'ready',
    ]);
    expect(opening[0]?.data).toEqual({ revision: 3, full: true });
    expect(opening.slice(0, -1).map(({ id }) => id)).toEqual(['0', '0', '0', '0', '3']);
    expect(opening.at(-1)).toMatchObject({ id: '3', data: { revision: 3 } });
    await putRoute('r', 'db');
    await register('web', 3);
    const changes = await reader.all();
    expect(changes.map(({ event }) => event)).toEqual(['routes', 'view']);
    expect(changes.at(-1)?.id).toBe('5');
  });

  it('coalesces for a slow reader, and what it has read it can resume from', async () => {
    const reader = await open('/api/v1/watch');
    await reader.all();
    for (let port = 1; port <= 20; port++) await register(port % 2 ? 'odd' : 'even', port);
    const changes = await reader.all();
    expect(changes.length).toBeLessThanOrEqual(3);
    const last = new Map(changes.map(({ data }) => [data.service, data.instances.length]));
    expect(last).toEqual(
      new Map([
        ['odd', 10],
        ['even', 10],
      ]),
    );
  });

  it('cut off at any point, a mirror that resumes misses no service, no removal and no route', async () => {
    await register('a', 1);
    await register('b', 2);
    const base = await register('c', 3);
    await putRoute('r', 'a');
    await api.call({ method: 'DELETE', target: '/register/a-127.0.0.1-1' });
    await register('b', 4);
    await putRoute('s', 'b');
    await register('c', 5);
    for (let cut = 0; cut <= 6; cut++) {
      const mirror = new Map<string, number>([
        ['a', 1],
        ['b', 1],
        ['c', 1],
      ]);
      let routes = 0;
      let from = String(base);
      for (const limit of [cut, 100]) {
        const connection = new AbortController();
        const reply = await api.call({
          method: 'GET',
          target: '/api/v1/watch',
          headers: { 'last-event-id': from },
          signal: connection.signal,
        });
        const reader = new Reader(reply);
        for (let at = 0; at < limit; at++) {
          const event = await reader.next();
          if (!event) break;
          if (event.event === 'sync') expect(event.data.full).toBe(false);
          if (event.event === 'view') mirror.set(event.data.service, event.data.instances.length);
          if (event.event === 'routes') routes = event.data.routes.length;
          from = event.id ?? from;
        }
        connection.abort();
        await settle();
      }
      expect([cut, [...mirror], routes]).toEqual([
        cut,
        [
          ['a', 0],
          ['b', 2],
          ['c', 2],
        ],
        2,
      ]);
    }
  });

  it('sends the full state to a mirror that is too far behind', async () => {
    await register('web', 1);
    for (let weight = 1; weight <= 100; weight++) {
      const body = `{"weight":${weight}}`;
      await api.call({ method: 'PATCH', target: '/api/v1/instances/web-127.0.0.1-1', body });
    }
    const reader = await open('/api/v1/watch?from=1');
    expect((await reader.next())?.data.full).toBe(true);
  });
});

describe('the event stream', () => {
  it('sends every single change in order and resumes after the last one seen', async () => {
    const reader = await open('/api/v1/events');
    const revisions = [];
    for (let port = 1; port <= 5; port++) revisions.push(await register('web', port));
    const events = await reader.all();
    expect(events.map(({ id }) => Number(id))).toEqual(revisions);
    const resumed = await open('/api/v1/events', { 'last-event-id': String(revisions[2]) });
    expect((await resumed.all()).map(({ id }) => Number(id))).toEqual(revisions.slice(3));
  });

  it('gives only the last event of a revision an id, so that none is missed by resuming', async () => {
    await register('web', 1);
    const reader = await open('/api/v1/events');
    const body = '{"service":"web","id":"other","address":"127.0.0.1","port":1,"lease":"none"}';
    await api.call({ method: 'POST', target: '/register', body });
    expect((await reader.all()).map(({ event, id }) => [event, id])).toEqual([
      ['instance-deregistered', undefined],
      ['instance-registered', '2'],
    ]);
  });

  it('tells a reader that is outrun, keeps nothing for it, and ends', async () => {
    const reader = await open('/api/v1/events');
    expect(await reader.next()).toBeUndefined();
    for (let port = 1; port <= 30; port++) await register('web', port);
    const events = await reader.all();
    expect(events.at(-1)?.event).toBe('compacted');
    expect(events.at(-1)?.data).toMatchObject({ code: 'REVISION_COMPACTED', status: 410 });
    expect(events.length).toBeLessThan(5);
    expect(await reader.next()).toBeNull();
  });

  it('says compacted to who asks for what is no longer held, as a stream and as a document', async () => {
    for (let port = 1; port <= 100; port++) await register('web', port);
    const reader = await open('/api/v1/events?from=1');
    expect((await reader.all()).map(({ event }) => event)).toEqual(['compacted']);
    const reply = await api.call({ method: 'GET', target: '/api/v1/events?from=1' });
    expect([reply.status, JSON.parse(await wholeBody(reply)).code]).toEqual([
      410,
      'REVISION_COMPACTED',
    ]);
  });
});
