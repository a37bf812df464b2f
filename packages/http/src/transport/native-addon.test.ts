import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { constants } from 'node:os';
import { Worker } from 'node:worker_threads';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { loadNativeTransport, type NativeTransport, ROW } from './native-addon.ts';

const output = Buffer.alloc(66_048);
const outputRows = new Int32Array(4 * ROW);
const told: number[][] = [];
const inputRows = new Int32Array(4 * ROW);
const loaded = loadNativeTransport(
  { input: Buffer.alloc(65_536), inputRows, output, outputRows, readBytes: 32_768 },
  (rows) => {
    for (let at = 0; at < rows * ROW; at += ROW) told.push([...inputRows.subarray(at, at + ROW)]);
  },
);

it('is not loaded where it is switched off', () => {
  const memory = { input: output, inputRows, output, outputRows, readBytes: 32_768 };
  const off = loadNativeTransport(memory, () => undefined, 'off');
  expect(off).toEqual({ reason: 'switched off by PORTOLAN_NATIVE_TRANSPORT' });
});

it('is not made of memory that is too small or of another kind', () => {
  if (loaded.transport === undefined) return;
  const memory = { input: Buffer.alloc(1_024), inputRows, output, outputRows, readBytes: 32_768 };
  const made = loadNativeTransport(memory, () => undefined);
  expect(made.transport).toBeUndefined();
});

describe.skipIf(loaded.transport === undefined)(
  `the native transport${loaded.transport ? '' : ` (skipped: ${loaded.reason})`}`,
  () => {
    const transport = loaded.transport as NativeTransport;
    const { EBADF, EEXIST, EINVAL, EMSGSIZE, ENOMEM } = constants.errno;
    let server: Server;
    let near: Socket;
    let far: Socket;
    let fd: number;

    beforeEach(async () => {
      told.length = 0;
      server = createServer({ pauseOnConnect: true }).listen(0, '127.0.0.1');
      await once(server, 'listening');
      near = connect((server.address() as AddressInfo).port, '127.0.0.1');
      [[far]] = (await Promise.all([once(server, 'connection'), once(near, 'connect')])) as [
        [Socket],
        unknown,
      ];
      fd = (far as unknown as { _handle: { fd: number } })._handle.fd;
    });

    afterEach(() => {
      for (let slot = 0; slot < 8; slot++) transport.detach(slot, 1);
      near.destroy();
      far.destroy();
      server.close();
    });

    async function turns(): Promise<void> {
      for (let turn = 0; turn < 10; turn++) await new Promise(setImmediate);
    }

    it('refuses slots and descriptors that cannot be, and a slot that is taken', () => {
      expect(transport.attach(-1, 1, fd)).toBe(-EINVAL);
      expect(transport.attach(0, 1, -1)).toBe(-EINVAL);
      expect(transport.attach(1_048_576, 1, fd)).toBe(-ENOMEM);
      expect(transport.attach(0, 1, fd)).toBe(0);
      expect(transport.attach(0, 2, fd)).toBe(-EEXIST);
    });

    it('takes numbers only', () => {
      expect(() => transport.attach('0' as unknown as number, 1, fd)).toThrow(TypeError);
      expect(() => (transport.detach as unknown as () => void)()).toThrow(TypeError);
    });

    it('knows a slot by its generation only', () => {
      transport.attach(0, 1, fd);
      expect(transport.setReading(0, 2, 1)).toBe(-EBADF);
      expect(transport.detach(0, 2)).toBe(-EBADF);
      expect(transport.setReading(-1, 1, 1)).toBe(-EBADF);
      expect(transport.setReading(7_000_000, 1, 1)).toBe(-EBADF);
      expect(transport.detach(0, 1)).toBe(0);
      expect(transport.detach(0, 1)).toBe(-EBADF);
    });

    it('sends no row of another generation, of no slot, or outside of the buffer', async () => {
      transport.attach(0, 1, fd);
      const received: Buffer[] = [];
      near.on('data', (piece: Buffer) => received.push(piece));
      output.write('good');
      outputRows.set([0, 2, 0, 4, 5, 1, 0, 4, 0, 1, 66_044, 8, 0, 1, 0, 4]);
      expect(transport.flush(4)).toBe(3);
      expect([...outputRows.subarray(0, 3 * ROW)]).toEqual([
        0,
        2,
        0,
        -EBADF,
        5,
        1,
        0,
        -EBADF,
        0,
        1,
        66_044,
        -EINVAL,
      ]);
      outputRows.set([0, 1, -4, 8, 0, 1, 0, -8, 0, 1, 66_049, 0, 0, 1, 0, 66_049]);
      expect(transport.flush(4)).toBe(4);
      await once(near, 'data');
      await turns();
      expect(Buffer.concat(received).toString()).toBe('good');
    });

    it('sends no row of a socket behind one that was not sent whole', async () => {
      // Datagrams, because whether one is taken is known before: by its length.
      const receiver = createSocket('udp4').bind(0, '127.0.0.1');
      await once(receiver, 'listening');
      const sender = createSocket('udp4');
      sender.connect(receiver.address().port, '127.0.0.1');
      await once(sender, 'connect');
      const received: string[] = [];
      receiver.on('message', (message) => received.push(message.toString()));
      const handles = sender as unknown as { [key: symbol]: { handle?: { fd: number } } };
      const [state] = Object.getOwnPropertySymbols(sender).filter((key) => handles[key]?.handle);
      transport.attach(0, 1, handles[state as symbol]?.handle?.fd ?? -1);
      transport.attach(1, 1, fd);
      output.write('later');
      outputRows.set([0, 1, 0, 66_000, 1, 1, 0, 5, 0, 1, 0, 5]);
      expect(transport.flush(3)).toBe(2);
      expect([...outputRows.subarray(0, 2 * ROW)]).toEqual([
        ...[0, 1, 0, -EMSGSIZE],
        ...[0, 1, 0, 5],
      ]);
      // Only there: with the next flush the socket is tried again.
      outputRows.set([0, 1, 0, 5]);
      expect(transport.flush(1)).toBe(0);
      await once(receiver, 'message');
      expect(received).toEqual(['later']);
      expect((await once(near, 'data'))[0].toString()).toBe('later');
      transport.detach(0, 1);
      sender.close();
      receiver.close();
    });

    it('flushes no more rows than there are', () => {
      expect(() => transport.flush(5)).toThrow(RangeError);
      expect(() => transport.flush(-1)).toThrow(RangeError);
    });

    it('tells more sockets than there are rows in several calls', async () => {
      const more: { dialled: Socket; accepted: Socket }[] = [];
      while (more.length < 5) {
        const dialled = connect((server.address() as AddressInfo).port, '127.0.0.1');
        const [accepted] = (await once(server, 'connection')) as [Socket];
        more.push({ dialled, accepted });
      }
      for (const { dialled } of more) dialled.write('x');
      await turns();
      for (const [slot, { accepted }] of more.entries()) {
        const its = (accepted as unknown as { _handle: { fd: number } })._handle.fd;
        transport.attach(slot, 1, its);
        transport.setReading(slot, 1, 1);
      }
      await turns();
      expect(told.map(([slot, , , length]) => [slot, length]).sort()).toEqual(
        more.map((_, slot) => [slot, 1]),
      );
      for (const [slot, { dialled, accepted }] of more.entries()) {
        transport.detach(slot, 1);
        dialled.destroy();
        accepted.destroy();
      }
    });

    it('tells nothing of a socket that was detached, nor of one that is not read', async () => {
      transport.attach(0, 1, fd);
      near.write('unwanted');
      await turns();
      expect(told).toEqual([]);
      transport.setReading(0, 1, 1);
      transport.detach(0, 1);
      await turns();
      expect(told).toEqual([]);
    });

    it('ends with its thread, in the middle of traffic', async () => {
      for (let threads = 0; threads < 3; threads++) {
        const thread = new Worker(new URL('../test-peers/echoing-thread.ts', import.meta.url), {
          execArgv: ['--conditions=portolan-source'],
        });
        expect(await once(thread, 'message')).toEqual(['native']);
        await thread.terminate();
      }
    });
  },
);
