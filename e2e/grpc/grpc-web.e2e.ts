import type { ChildProcess } from 'node:child_process';
import { create } from '@bufbuild/protobuf';
import { StringValueSchema } from '@bufbuild/protobuf/wkt';
import { Code, ConnectError, createClient } from '@connectrpc/connect';
import { createGrpcWebTransport } from '@connectrpc/connect-web';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type PortolanProcess, startPortolan } from '../support/portolan-process.ts';
import { register } from '../support/registry-api.ts';
import { echoDescriptor } from './echo-definition.ts';
import { startEcho } from './start-echo.ts';

let portolan: PortolanProcess;
const children: ChildProcess[] = [];

beforeAll(async () => {
  portolan = await startPortolan();
  const echo = await startEcho('a');
  children.push(echo.child);
  await register(portolan.control, 'echo', echo.port, { tags: ['protocol:grpc'] });
});

afterAll(async () => {
  for (const child of children) child.kill('SIGKILL');
  await portolan?.dispose();
});

// A descriptor made at run time has no types for its methods.
type Calls = Record<'unary', (request: object, options?: object) => Promise<{ value: string }>> &
  Record<'down', (request: object, options?: object) => AsyncIterable<{ value: string }>>;

function client(): Calls {
  const transport = createGrpcWebTransport({ baseUrl: `${portolan.gateway}/echo` });
  return createClient(echoDescriptor(), transport) as unknown as Calls;
}

const text = (value: string) => create(StringValueSchema, { value });

describe('a browser through the gateway', () => {
  test('calls a gRPC service and gets its answer and trailers', async () => {
    let trailers: Headers | undefined;
    const onTrailer = (received: Headers): void => {
      trailers = received;
    };
    const answer = await client().unary(text('hello'), { onTrailer });
    expect(answer.value).toBe('a:hello');
    expect(trailers?.get('served-by')).toBe('a');
    expect(trailers?.get('detail-bin')).toBe('AAH/');
  });

  test('reads a stream of messages, one by one', async () => {
    const values: string[] = [];
    for await (const { value } of client().down(text('5'))) values.push(value);
    expect(values).toEqual(['a:0', 'a:1', 'a:2', 'a:3', 'a:4']);
    for await (const { value } of client().down(text('0'))) {
      // The stream stays open behind its first message, which is here all the same.
      expect(value).toBe('a:0');
      break;
    }
  });

  test('hears of an error with code, message and details', async () => {
    const error = await client()
      .unary(text('fail 9 näh'))
      .catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(ConnectError);
    const { code, rawMessage, metadata } = error as ConnectError;
    expect([code, rawMessage]).toEqual([Code.FailedPrecondition, 'näh']);
    expect(metadata.get('served-by')).toBe('a');
  });

  test('hears that its deadline passed, and that nobody serves what it asked for', async () => {
    const late = await client()
      .unary(text('never'), { timeoutMs: 200 })
      .catch((reason: unknown) => reason);
    expect((late as ConnectError).code).toBe(Code.DeadlineExceeded);
    const nobody = createGrpcWebTransport({ baseUrl: `${portolan.gateway}/nobody` });
    const unserved = await (createClient(echoDescriptor(), nobody) as unknown as Calls)
      .unary(text('hello'))
      .catch((reason: unknown) => reason);
    expect((unserved as ConnectError).code).toBe(Code.Unimplemented);
    expect((unserved as ConnectError).rawMessage).toContain('NO_ROUTE');
  });

  test('hears that a service is unavailable that was killed within its stream', async () => {
    const { child, port } = await startEcho('mortal');
    children.push(child);
    await register(portolan.control, 'mortal', port, { tags: ['protocol:grpc'] });
    const transport = createGrpcWebTransport({ baseUrl: `${portolan.gateway}/mortal` });
    const calls = createClient(echoDescriptor(), transport) as unknown as Calls;
    const values: string[] = [];
    const failed = (async () => {
      for await (const { value } of calls.down(text('0'))) {
        values.push(value);
        child.kill('SIGKILL');
      }
    })().catch((reason: unknown) => reason);
    expect(((await failed) as ConnectError).code).toBe(Code.Unavailable);
    expect(values).toEqual(['mortal:0']);
  });
});
