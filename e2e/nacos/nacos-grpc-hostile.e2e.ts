import { Client, credentials } from '@grpc/grpc-js';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type PortolanProcess, startPortolan } from '../support/portolan-process.ts';
import { call, register } from '../support/registry-api.ts';
import { NacosGrpcClient } from './nacos-grpc-client.ts';

let portolan: PortolanProcess;
let address = '';

beforeAll(async () => {
  portolan = await startPortolan({ env: { PORTOLAN_DIALECTS_NACOS_GRPC: '127.0.0.1:0' } });
  const about = await (await fetch(portolan.control)).text();
  address = /grpc:\/\/(\S+) +\(nacos-grpc\)/.exec(about)?.[1] ?? '';
});
afterAll(async () => {
  await portolan.dispose();
});

const TYPES = [
  ...['InstanceRequest', 'PersistentInstanceRequest', 'BatchInstanceRequest', 'ServiceListRequest'],
  ...['SubscribeServiceRequest', 'ServiceQueryRequest', 'HealthCheckRequest', 'ServerCheckRequest'],
  ...['ConnectionSetupRequest', 'ConfigQueryRequest', 'ConfigBatchListenRequest', 'toString'],
  ...['__proto__', '', 'NotifySubscriberResponse', 'x'.repeat(5_000)],
];
const FIELDS = [
  ...['namespace', 'serviceName', 'groupName', 'type', 'instance', 'instances', 'subscribe'],
  ...['clusters', 'cluster', 'healthyOnly', 'pageNo', 'pageSize', 'requestId', 'ip', 'port'],
  ...['weight', 'enabled', 'healthy', 'ephemeral', 'clusterName', 'metadata', '__proto__'],
];
const value = fc.oneof(
  fc.constantFrom<unknown>('web', 'g@@web', 'registerInstance', 'batchRegisterInstance', 80, true),
  fc.constantFrom<unknown>('@@', 'a'.repeat(300), -1, 1e300, null, '\ud800', '10.0.0.1', 'public'),
  fc.jsonValue({ maxDepth: 3 }),
);
const fields = fc.dictionary(fc.constantFrom(...FIELDS), value, { maxKeys: 8 });
const body = fc.oneof(
  { weight: 4, arbitrary: fields.map((json) => Buffer.from(JSON.stringify(json))) },
  {
    weight: 3,
    arbitrary: fc.record({ fields, instance: fields }).map(({ fields: outer, instance }) =>
      Buffer.from(
        JSON.stringify({
          ...{ serviceName: 'web', type: 'registerInstance', ...outer },
          instance: { ip: '10.0.0.1', port: 80, ...instance },
        }),
      ),
    ),
  },
  fc.uint8Array({ maxLength: 100 }).map((bytes) => Buffer.from(bytes)),
  fc.nat(5_000).map((depth) => Buffer.from('['.repeat(depth))),
);

test('no payload ends the process; what is refused is refused in Nacos’ words and changes nothing', async () => {
  await register(portolan.control, 'kept', 7401, { id: 'kept-1' });
  const client = await NacosGrpcClient.connect(address);
  // Without their health: persistent instances are looked at meanwhile.
  const registrations = async () => {
    const { body: list } = await call(portolan.control, 'GET', '/api/v1/instances?namespace=*');
    return list.instances.map(({ id, weight, metadata, tags, intent }: Record<string, unknown>) =>
      JSON.stringify({ id, weight, metadata, tags, intent }),
    );
  };
  let refused = 0;
  let taken = 0;
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...TYPES), body, fc.boolean(), async (type, bytes, stream) => {
      if (stream) client.write(type, {}, bytes);
      const before = await registrations();
      const answer = await client.call(type, {}, bytes);
      expect(answer.type).toMatch(/Response$/);
      if (answer.type !== 'ErrorResponse') {
        taken++;
        return;
      }
      refused++;
      expect(answer.body).toMatchObject({
        resultCode: 500,
        success: false,
        errorCode: expect.any(Number),
        message: expect.any(String),
      });
      expect(answer.body.errorCode).toBeLessThan(500);
      expect(JSON.stringify(answer.body).length).toBeLessThan(4_096);
      expect(await registrations()).toEqual(before);
    }),
    { numRuns: 600 },
  );
  expect(refused).toBeGreaterThan(100);
  expect(taken).toBeGreaterThan(50);
  client.close();
});

test('bytes that are no message end the call, not the process', async () => {
  const raw = new Client(address, credentials.createInsecure());
  const same = (bytes: Buffer) => bytes;
  const send = (bytes: Buffer) =>
    new Promise<number | undefined>((resolve) => {
      raw.makeUnaryRequest('/Request/request', same, same, bytes, (error) => resolve(error?.code));
    });
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 64 }), async (bytes) => {
      await send(Buffer.from(bytes));
    }),
    { numRuns: 200 },
  );
  expect(await send(Buffer.alloc(11 * 1_024 * 1_024, 0x0a))).toBe(8);
  raw.close();
  const native = await call(portolan.control, 'GET', '/api/v1/instances/kept-1');
  expect(native.body).toMatchObject({ id: 'kept-1', status: 'passing' });
  expect(portolan.child.exitCode).toBe(null);
});

test('the message is the one of the protocol, byte for byte', async () => {
  const raw = new Client(address, credentials.createInsecure());
  const same = (bytes: Buffer) => bytes;
  const type = Buffer.from('ServerCheckRequest');
  const json = Buffer.from('{"requestId":"7"}');
  // Payload { metadata = 2: { type = 3 }, body = 3: { value = 2 } }.
  const field = (number: number, bytes: Buffer) =>
    Buffer.concat([Buffer.from([(number << 3) | 2, bytes.length]), bytes]);
  const sent = Buffer.concat([field(2, field(3, type)), field(3, field(2, json))]);
  const answer = await new Promise<Buffer>((resolve, reject) => {
    raw.makeUnaryRequest('/Request/request', same, same, sent, (error, bytes) =>
      error || !bytes ? reject(error) : resolve(bytes),
    );
  });
  raw.close();
  expect(answer.includes(field(3, Buffer.from('ServerCheckResponse')))).toBe(true);
  expect(answer.toString()).toContain('"supportAbilityNegotiation":false');
  expect(answer.toString()).toContain('"requestId":"7"');
});
