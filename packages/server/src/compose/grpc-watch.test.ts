import { settle } from '@portolan/testing';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { openGrpcDoor } from './test-grpc/grpc-door.ts';

const SERVICES = ['a', 'b', 'c'] as const;
const change = fc.record({
  kind: fc.constantFrom('register', 'deregister', 'weigh'),
  service: fc.constantFrom(...SERVICES),
  port: fc.integer({ min: 1, max: 4 }),
  weight: fc.integer({ min: 1, max: 9 }),
});
/** Changes, after each of which the reader may read a message of the opening state, and be cut off. */
const step = fc.record({ change, read: fc.boolean(), cut: fc.boolean() });

interface Read {
  readonly sync?: { readonly full: boolean } | null;
  readonly ready?: object | null;
  readonly view?: {
    readonly service: string;
    readonly more: boolean;
    readonly instances: readonly { readonly id: string; readonly weight: number }[];
  } | null;
  readonly resumeRevision: number;
}

test('a watch that is refused takes no place of those that are watching', async () => {
  const door = await openGrpcDoor({}, { maxWatchers: 1 });
  const bytes = (request: object): Buffer =>
    door.definition.Watch?.requestSerialize(request) as Buffer;
  expect((await door.send('Watch', bytes({ service: 'not a name' }))).code).toBe(5);
  expect((await door.send('Watch', bytes({ namespace: 'nor this' }))).code).toBe(5);
  // Cancelled by the reader, when it had what was there.
  expect((await door.send('Watch', bytes({ service: 'a' }))).code).toBe(1);
  await door.close();
});

test('a reader that is cut off anywhere and resumes ends with the catalogue as it is', async () => {
  const door = await openGrpcDoor();
  const { registry } = door.native;
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 25 }), async (steps) => {
      /** What the reader knows: instance and weight, by service. */
      let known = new Map<string, string[]>();
      let resume = 0;
      let part: string[] = [];
      let isReady = false;
      let stream: ReturnType<typeof door.watch> | undefined;
      let messages: AsyncIterator<Read> | undefined;
      const open = (): void => {
        stream = door.watch({ fromRevision: resume });
        stream.on('error', () => undefined);
        messages = stream[Symbol.asyncIterator]() as AsyncIterator<Read>;
        isReady = false;
        part = [];
      };
      const cut = (): void => {
        stream?.cancel();
        stream = undefined;
      };
      const read = async (): Promise<void> => {
        if (!stream) open();
        const { value, done } = (await messages?.next()) ?? { done: true, value: undefined };
        if (done || !value) throw new Error('the watch ended by itself');
        if (value.sync?.full) known = new Map();
        if (value.ready) isReady = true;
        if (value.view) {
          part.push(...value.view.instances.map(({ id, weight }) => `${id} ${weight}`));
          if (!value.view.more) {
            known.set(value.view.service, part);
            part = [];
          }
        }
        resume = value.resumeRevision;
      };
      for (const one of steps) {
        const { kind, service, port, weight } = one.change;
        const id = `${service}-${port}`;
        const ref = { namespace: 'default', id };
        if (kind === 'deregister') await registry.deregister(ref).catch(() => undefined);
        else {
          const key = { namespace: 'default', group: 'default', name: service };
          const input = { service: key, id, address: '127.0.0.1', port, lease: 'none' } as const;
          await registry.register({ ...input, ...(kind === 'weigh' ? { weight } : {}) }, UNTRUSTED);
        }
        // Until it is ready there is always one more message.
        if (one.read && (!isReady || !stream)) await read();
        if (one.cut) cut();
      }
      while (!isReady || !stream || resume < registry.revision) await read();
      const truth = Object.fromEntries(
        SERVICES.map((name) => {
          const view = registry.view({ namespace: 'default', group: 'default', name });
          return [name, (view?.instances ?? []).map(({ id, weight }) => `${id} ${weight}`)];
        }),
      );
      expect(Object.fromEntries(SERVICES.map((name) => [name, known.get(name) ?? []]))).toEqual(
        truth,
      );
      cut();
      await settle();
    }),
    { numRuns: 60 },
  );
  await door.close();
}, 60_000);

const UNTRUSTED = { trusted: false } as const;
