import { fileURLToPath } from 'node:url';
import { Client, credentials, type ServiceDefinition } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { createNacosGrpcAdapter, createNacosParts } from '@portolan/adapters/nacos';
import { NO_METRICS } from '@portolan/core';
import { seededRandom } from '@portolan/testing';
import { expect, test } from 'vitest';
import { createAdmission, UNLIMITED } from '../control/admission.ts';
import { faultLog } from './test-control/turned-registry.ts';
import { createNativeApi } from './test-rest/native-api.ts';

const PROTO = fileURLToPath(
  new URL('../../../adapters/src/protocols/nacos/grpc/nacos_grpc_service.proto', import.meta.url),
);
/** Nacos' own code of what is over its threshold. */
const OVER_THRESHOLD = 503;

interface Answer {
  readonly type: string;
  readonly success: boolean;
  readonly errorCode: number;
  readonly requestId: string;
}

test('a Nacos client is told of overload in its own words, and its health checks are answered meanwhile', async () => {
  const native = await createNativeApi();
  const { registry, clock, store } = native;
  const { faults, logger } = faultLog();
  const ending = new AbortController();
  const { signal } = ending;
  const admission = createAdmission(
    { ...UNLIMITED, requests: 1 },
    { name: 'nacos-grpc', clock, random: seededRandom(3), metrics: NO_METRICS },
  );
  const adapter = createNacosGrpcAdapter(
    { listen: { host: '127.0.0.1', port: 0 }, admission },
    createNacosParts({}, { registry, clock, logger, signal }),
  );
  const { address, closed } = await adapter.start(signal);
  const proto = loadSync(PROTO, { keepCase: true, defaults: true });
  const unary = (proto.Request as ServiceDefinition).request;
  const bidi = (proto.BiRequestStream as ServiceDefinition).requestBiStream;
  if (!unary || !bidi) throw new Error('the proto has both');
  const client = new Client(`${address.host}:${address.port}`, credentials.createInsecure());
  const payload = (type: string, body: object) => ({
    metadata: { type },
    body: { value: Buffer.from(JSON.stringify(body)) },
  });
  let asked = 0;
  const ask = (type: string, body: object = {}): Promise<Answer> => {
    const said = payload(type, { ...body, requestId: `${++asked}` });
    return new Promise((resolve, reject) => {
      client.makeUnaryRequest(
        unary.path,
        unary.requestSerialize,
        unary.responseDeserialize as (bytes: Buffer) => ReturnType<typeof payload>,
        said,
        (error, answer) => {
          if (error || !answer) reject(error ?? new Error('no answer'));
          else {
            const text = answer.body.value.toString();
            resolve({ ...JSON.parse(text), type: answer.metadata.type });
          }
        },
      );
    });
  };
  const register = (port: number) =>
    ask('InstanceRequest', {
      type: 'registerInstance',
      serviceName: 'web',
      instance: { ip: '10.0.0.1', port, ephemeral: true },
    });

  const stream = client.makeBidiStreamRequest(
    bidi.path,
    bidi.requestSerialize,
    bidi.responseDeserialize,
  );
  stream.on('error', () => undefined);
  stream.resume();
  stream.write(payload('ConnectionSetupRequest', { labels: { module: 'naming' } }));
  await expect.poll(async () => (await ask('HealthCheckRequest')).success).toBe(true);
  expect(await register(80)).toMatchObject({ type: 'InstanceResponse', success: true });

  const held = Promise.withResolvers<void>();
  const commit = store.commit.bind(store);
  store.commit = async (ops, guards) => {
    await held.promise;
    return commit(ops, guards);
  };
  const waiting: Promise<Answer>[] = [];
  while (admission.pressure < 4) {
    waiting.push(register(1_000 + waiting.length));
    await new Promise((resolve) => setImmediate(resolve));
  }
  const refused = { type: 'ErrorResponse', success: false, errorCode: OVER_THRESHOLD };
  expect(await register(81)).toMatchObject({ ...refused, requestId: `${asked}` });
  expect(await ask('ServiceQueryRequest', { serviceName: 'web' })).toMatchObject(refused);
  expect(await ask('HealthCheckRequest')).toMatchObject({ success: true });
  expect(await ask('ServerCheckRequest')).toMatchObject({ success: true });

  held.resolve();
  await Promise.all(waiting);
  expect(admission.pressure).toBe(0);
  expect(await register(81)).toMatchObject({ success: true });
  expect(await ask('ServiceQueryRequest', { serviceName: 'web' })).toMatchObject({ success: true });
  expect(faults).toEqual([]);

  client.close();
  ending.abort();
  await closed;
  admission.close();
  await native.close();
});
