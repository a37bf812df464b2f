import type { ChildProcess } from 'node:child_process';
import {
  type CallOptions,
  Client,
  type ClientDuplexStream,
  type ClientReadableStream,
  credentials,
  Metadata,
  type ServiceError,
  status,
} from '@grpc/grpc-js';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { type PortolanProcess, startPortolan } from '../support/portolan-process.ts';
import { call, register } from '../support/registry-api.ts';
import { ECHO } from './echo-definition.ts';
import { startEcho } from './start-echo.ts';

const NAMES = ['a', 'b', 'c'];

let portolan: PortolanProcess;
const children: ChildProcess[] = [];
const clients: Client[] = [];

beforeAll(async () => {
  portolan = await startPortolan();
  for (const name of NAMES) {
    const echo = await startEcho(name);
    children.push(echo.child);
    await register(portolan.control, 'echo', echo.port, { tags: ['protocol:grpc'] });
  }
  await route('test', 'echo');
});

afterEach(() => {
  for (const client of clients.splice(0)) client.close();
});

afterAll(async () => {
  for (const child of children) child.kill('SIGKILL');
  await portolan?.dispose();
});

/** Sends the calls that name that authority to a service. */
async function route(name: string, service: string): Promise<void> {
  const set = await call(portolan.control, 'PUT', `/api/v1/routes/${name}`, {
    hosts: [`${name}.example`],
    to: [{ service }],
  });
  expect(set.status).toBeLessThan(300);
}

/** A client of one connection. */
function connectTo(name = 'test'): Client {
  const client = new Client(new URL(portolan.gateway).host, credentials.createInsecure(), {
    'grpc.default_authority': `${name}.example`,
    'grpc.use_local_subchannel_pool': 1,
  });
  clients.push(client);
  return client;
}

interface Answered {
  readonly value: string | undefined;
  readonly error: ServiceError | undefined;
  readonly trailers: Metadata;
}

function unary(client: Client, value: string, options: CallOptions = {}): Promise<Answered> {
  const { path, requestSerialize, responseDeserialize } = ECHO.unary;
  return new Promise((resolve) => {
    let answered: { value: string | undefined; error: ServiceError | undefined };
    client
      .makeUnaryRequest(
        path,
        requestSerialize,
        responseDeserialize,
        value,
        new Metadata(),
        options,
        (error, answer) => {
          answered = { value: answer, error: error ?? undefined };
        },
      )
      .on('status', ({ metadata }) => {
        setImmediate(() => resolve({ ...answered, trailers: metadata }));
      });
  });
}

function down(client: Client, value: string): ClientReadableStream<string> {
  const { path, requestSerialize, responseDeserialize } = ECHO.down;
  return client.makeServerStreamRequest(path, requestSerialize, responseDeserialize, value);
}

function both(client: Client): ClientDuplexStream<string, string> {
  const { path, requestSerialize, responseDeserialize } = ECHO.both;
  return client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize);
}

/** All messages, and the error that ended them. */
function drained(stream: ClientReadableStream<string> | ClientDuplexStream<string, string>) {
  const messages: string[] = [];
  stream.on('data', (message: string) => messages.push(message));
  const ended = new Promise<ServiceError | undefined>((resolve) => {
    stream.on('end', () => resolve(undefined));
    stream.on('error', (error: ServiceError) => resolve(error));
  });
  return { messages, ended };
}

describe('a gRPC client through the gateway', () => {
  test('calls a service, and gets its answer and trailers', async () => {
    const { value, trailers } = await unary(connectTo(), 'hello');
    expect(value).toMatch(/^[abc]:hello$/);
    expect(trailers.get('served-by')).toEqual([value?.[0]]);
    expect(trailers.get('detail-bin')).toEqual([Buffer.from([0, 1, 255])]);
  });

  test('reaches every instance over its one connection, call by call', async () => {
    const client = connectTo();
    const answers = await Promise.all(Array.from({ length: 30 }, () => unary(client, 'x')));
    const counts = NAMES.map((name) => answers.filter(({ value }) => value === `${name}:x`).length);
    expect(counts).toEqual([10, 10, 10]);
  });

  test('reads a stream of messages', async () => {
    const { messages, ended } = drained(down(connectTo(), '1000'));
    expect(await ended).toBeUndefined();
    expect(messages).toHaveLength(1_000);
    expect(messages[999]).toMatch(/:999$/);
  });

  test('writes a stream of messages', async () => {
    const { path, requestSerialize, responseDeserialize } = ECHO.up;
    const value = await new Promise<string | undefined>((resolve, reject) => {
      const stream = connectTo().makeClientStreamRequest(
        path,
        requestSerialize,
        responseDeserialize,
        (error, answer) => (error ? reject(error) : resolve(answer)),
      );
      for (const part of ['one', 'two', 'three']) stream.write(part);
      stream.end();
    });
    expect(value).toBe('one+two+three');
  });

  test('talks both ways, each message at its time', async () => {
    const stream = both(connectTo());
    const { messages, ended } = drained(stream);
    for (let at = 0; at < 5; at++) {
      stream.write(`m${at}`);
      await eventually(() => (messages.length === at + 1 ? true : undefined));
    }
    stream.end();
    expect(await ended).toBeUndefined();
    expect(messages.map((message) => message.slice(2))).toEqual(['m0', 'm1', 'm2', 'm3', 'm4']);
  });

  test('sends and gets messages of a mebibyte', async () => {
    const big = 'x'.repeat(1_048_576);
    const { value } = await unary(connectTo(), big);
    expect(value?.slice(2) === big).toBe(true);
  });

  test('hears of an error with code, message and details', async () => {
    const { error, trailers } = await unary(connectTo(), 'fail 9 näh');
    expect([error?.code, error?.details]).toEqual([status.FAILED_PRECONDITION, 'näh']);
    expect(trailers.get('served-by')).toHaveLength(1);
  });

  test('hears that its deadline passed', async () => {
    const { error } = await unary(connectTo(), 'never', { deadline: Date.now() + 300 });
    expect(error?.code).toBe(status.DEADLINE_EXCEEDED);
  });

  test('hears from the gateway what is wrong, as gRPC says it', async () => {
    const unrouted = await unary(connectTo('nowhere'), 'x');
    expect(unrouted.error?.code).toBe(status.UNIMPLEMENTED);
    expect(unrouted.error?.details).toContain('NO_ROUTE');
    await register(portolan.control, 'down', 9, { status: 'DOWN', tags: ['protocol:grpc'] });
    await route('down', 'down');
    const unhealthy = await unary(connectTo('down'), 'x');
    expect(unhealthy.error?.code).toBe(status.UNAVAILABLE);
    expect(unhealthy.error?.details).toContain('NO_HEALTHY_ENDPOINT');
  });

  test('that gives a call up has it cancelled at the service, and its connection goes on', async () => {
    const client = connectTo();
    const stream = down(client, '0');
    const { messages, ended } = drained(stream);
    await eventually(() => (messages.length === 1 ? true : undefined));
    stream.cancel();
    expect((await ended)?.code).toBe(status.CANCELLED);
    expect((await unary(client, 'still')).value).toMatch(/:still$/);
  });

  test('hears that a service is unavailable that was killed within its stream', async () => {
    const { child, port } = await startEcho('m');
    children.push(child);
    await register(portolan.control, 'mortal', port, { tags: ['protocol:grpc'] });
    await route('mortal', 'mortal');
    const client = connectTo('mortal');
    const streams = [drained(down(client, '0')), drained(down(client, '0'))];
    for (const { messages } of streams) {
      await eventually(() => (messages.length === 1 ? true : undefined));
    }
    child.kill('SIGKILL');
    for (const { ended } of streams) expect((await ended)?.code).toBe(status.UNAVAILABLE);
  });
});
