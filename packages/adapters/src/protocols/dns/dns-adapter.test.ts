import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { type Metrics, NO_LOGGER, NO_METRICS, type SocketAddress } from '@portolan/core';
import { seededRandom, TurnableClock } from '@portolan/testing';
import { decode, encode } from 'dns-packet';
import fc from 'fast-check';
import { afterEach, expect, test } from 'vitest';
import { createDnsAdapter } from './dns-adapter.ts';
import type { DnsOptions } from './dns-options.ts';
import { anInstance, fixedCatalogue } from './test-catalogue/fixed-catalogue.ts';

const clock = new TurnableClock();
const catalogue = fixedCatalogue(
  ...Array.from({ length: 100 }, (_, at) => anInstance({ address: `10.0.3.${at}` })),
  ...Array.from({ length: 4 }, (_, at) =>
    anInstance({
      service: { namespace: 'default', group: 'default', name: 'large' },
      address: `10.0.4.${at}`,
      metadata: Object.fromEntries(
        Array.from({ length: 64 }, (_, key) => [`key-${key}`, 'x'.repeat(240)]),
      ),
    }),
  ),
);
/** Answers over TCP. */
let answered = 0;
const metrics: Metrics = {
  ...NO_METRICS,
  counter: ({ name }) => ({
    labels: (transport) => ({
      inc: () => {
        if (name === 'portolan_dns_replies_total' && transport === 'tcp') answered += 1;
      },
    }),
  }),
};
const stops: (() => Promise<void>)[] = [];

async function start(options: Partial<DnsOptions> = {}): Promise<SocketAddress> {
  const adapter = createDnsAdapter(
    { listen: { host: '127.0.0.1', port: 0 }, ...options },
    { catalogue, clock, random: seededRandom(5), logger: NO_LOGGER, metrics },
  );
  const stopping = new AbortController();
  const { address, closed } = await adapter.start(stopping.signal);
  stops.push(async () => {
    stopping.abort();
    await closed;
  });
  return address;
}

afterEach(async () => {
  answered = 0;
  for (const stop of stops.splice(0)) await stop();
  expect([catalogue.subscribers, clock.pending]).toEqual([0, 0]);
});

function query(id: number, name = 'web.service.portolan'): Buffer {
  return encode({ type: 'query', id, questions: [{ name, type: 'A' }] });
}

function framed(message: Buffer): Buffer {
  return Buffer.concat([Buffer.from([message.length >> 8, message.length & 0xff]), message]);
}

async function dial({ host, port }: SocketAddress): Promise<Socket> {
  const socket = connect(port, host);
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  return socket;
}

/** Reads so many answers from the stream. */
async function answers(socket: Socket, count: number) {
  let bytes = Buffer.alloc(0);
  const found: ReturnType<typeof decode>[] = [];
  for await (const piece of socket.iterator({ destroyOnReturn: false })) {
    bytes = Buffer.concat([bytes, piece as Buffer]);
    while (bytes.length >= 2 && bytes.length >= 2 + bytes.readUInt16BE(0)) {
      const end = 2 + bytes.readUInt16BE(0);
      found.push(decode(bytes.subarray(2, end)));
      bytes = bytes.subarray(end);
    }
    if (found.length >= count) return found;
  }
  return found;
}

test('the same port answers over UDP and TCP', async () => {
  const address = await start();
  expect(await askOverUdp(address, 1)).toMatchObject({ id: 1, flag_tc: true });
  const tcp = await dial(address);
  tcp.write(framed(query(2)));
  const [whole] = await answers(tcp, 1);
  expect([whole?.id, whole?.flag_tc, whole?.answers?.length]).toEqual([2, false, 100]);
  tcp.destroy();
});

test('questions sent without waiting are answered in order, wherever they are cut', async () => {
  const address = await start();
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.nat(65_535), { minLength: 1, maxLength: 30 }),
      fc.array(fc.integer({ min: 1, max: 90 }), { minLength: 1, maxLength: 9 }),
      async (ids, cuts) => {
        const socket = await dial(address);
        socket.setNoDelay(true);
        const stream = Buffer.concat(ids.map((id) => framed(query(id))));
        for (let at = 0, turn = 0; at < stream.length; turn++) {
          const end = at + (cuts[turn % cuts.length] as number);
          socket.write(stream.subarray(at, end));
          at = end;
        }
        expect((await answers(socket, ids.length)).map(({ id }) => id)).toEqual(ids);
        socket.destroy();
      },
    ),
    { numRuns: 25 },
  );
});

test('a client that asks much and reads late is made to wait, and gets all of it', async () => {
  const address = await start();
  const socket = await dial(address);
  const count = 500;
  const type = 'TXT';
  const questions = [{ name: 'large.service.portolan', type }] as const;
  const stream = Array.from({ length: count }, (_, id) =>
    framed(encode({ type: 'query', id, questions: [...questions] })),
  );
  socket.write(Buffer.concat(stream));
  // Until the server gets no further: between two answers over UDP it had its turn.
  for (let before = -1; before !== answered; ) {
    before = answered;
    await askOverUdp(address, 1);
  }
  expect(answered).toBeLessThan(count);
  const found = await answers(socket, count);
  expect(found.map(({ id }) => id)).toEqual(Array.from({ length: count }, (_, id) => id));
  socket.destroy();
});

async function askOverUdp({ host, port }: SocketAddress, id: number) {
  const udp = createSocket('udp4');
  udp.send(query(id), port, host);
  const [reply] = (await once(udp, 'message')) as [Buffer];
  udp.close();
  return decode(reply);
}

test('a connection without a whole question in time is ended, one with is kept', async () => {
  const address = await start({ idleTimeoutMs: 1_000 });
  const dripping = await dial(address);
  const asking = await dial(address);
  asking.write(framed(query(1)));
  dripping.write(Buffer.from([0]));
  await answers(asking, 1);
  await clock.advance(900);
  asking.write(framed(query(2)));
  dripping.write(Buffer.from([20]));
  await answers(asking, 1);
  const ended = once(dripping, 'close');
  dripping.resume();
  await clock.advance(200);
  await ended;
  asking.write(framed(query(3)));
  expect(await answers(asking, 1)).toMatchObject([{ id: 3 }]);
  const gone = once(asking, 'close');
  asking.resume();
  await clock.advance(1_000);
  await gone;
});

test('a message that cannot be a question ends the connection', async () => {
  const address = await start();
  const socket = await dial(address);
  const closed = once(socket, 'close');
  socket.resume();
  socket.write(Buffer.from([0xff, 0xff, 1]));
  await closed;
});

test('connections over the limit are closed, and a place that became free is given again', async () => {
  const address = await start({ maxConnections: 1 });
  const first = await dial(address);
  first.write(framed(query(1)));
  await answers(first, 1);
  const second = await dial(address);
  second.resume();
  await once(second, 'close');
  first.destroy();
  const third = await ask(address);
  expect(third).toHaveLength(1);
});

/** Asks until a connection is served. */
async function ask(address: SocketAddress) {
  for (;;) {
    const socket = await dial(address);
    socket.write(framed(query(9)));
    const found = await answers(socket, 1).catch(() => []);
    socket.destroy();
    if (found.length > 0) return found;
  }
}

test('a port that is taken, for TCP or for UDP alone, is an error with the system’s code', async () => {
  const address = await start();
  await expect(start({ listen: address })).rejects.toMatchObject({ code: 'EADDRINUSE' });
  const udp = createSocket('udp4');
  udp.bind(0, '127.0.0.1');
  await once(udp, 'listening');
  const taken = { host: '127.0.0.1', port: udp.address().port };
  await expect(start({ listen: taken })).rejects.toMatchObject({ code: 'EADDRINUSE' });
  udp.close();
});
