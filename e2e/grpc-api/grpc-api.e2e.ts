import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect } from 'node:net';
import {
  type Client,
  credentials,
  loadPackageDefinition,
  type ServiceClientConstructor,
  type ServiceError,
  status,
} from '@grpc/grpc-js';
import { fromJSON } from '@grpc/proto-loader';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { eventually } from '../support/eventually.ts';
import {
  connectGrpc,
  type GrpcRegistry,
  type Message,
  printedAddress,
  type Watch,
} from '../support/grpc-registry.ts';
import { type PortolanProcess, runPortolan, startPortolan } from '../support/portolan-process.ts';
import { call, register } from '../support/registry-api.ts';

let server: PortolanProcess;
let address: string;
let grpc: GrpcRegistry;

beforeAll(async () => {
  server = await startPortolan({ args: ['--grpc', '127.0.0.1:0'] });
  address = printedAddress(server.stdout(), 'grpc');
  grpc = connectGrpc(address);
});
afterAll(async () => {
  grpc.close();
  await server.dispose();
});

const NO_LEASE = { leaseProfile: 'LEASE_PROFILE_NONE' };

function aRegistration(service: string, port: number, extra: object = {}): object {
  return { service, address: '127.0.0.1', port, ...NO_LEASE, ...extra };
}

async function failure(work: Promise<unknown>): Promise<ServiceError> {
  return await work.then(
    () => {
      throw new Error('it did not fail');
    },
    (error: ServiceError) => error,
  );
}

/** The details of a status, read with nothing but the wire format: numbers of fields and texts. */
function detailsOf(error: ServiceError): string {
  const [bytes] = error.metadata.get('grpc-status-details-bin');
  return Buffer.from((bytes as Buffer | undefined) ?? '').toString('latin1');
}

const viewsOf = ({ messages }: Watch): Message[] =>
  messages.flatMap((message) => (message.view ? [message.view] : []));

describe('an instance', () => {
  test('is registered, read, reported on and deregistered', async () => {
    const registered = await grpc.call('Register', {
      registration: {
        service: 'orders',
        address: '127.0.0.1',
        port: 4_001,
        tags: ['version:v2'],
        metadata: { zone: 'b' },
        weight: 7,
        leaseTimes: { ttlMs: 60_000 },
        checks: [{ id: 'self', ttlMs: 60_000, deregisterAfterMs: 90_000_000_000 / 1_000 }],
      },
    });
    expect(registered).toMatchObject({
      created: true,
      changed: true,
      superseded: '',
      instance: {
        id: 'orders-127.0.0.1-4001',
        weight: 7,
        labels: { version: 'v2', zone: 'b' },
        status: 'STATUS_UNKNOWN',
        routable: false,
        lease: { profile: 'custom', heartbeatMs: 20_000, ttlMs: 60_000 },
        checks: [{ id: 'self', kind: 'ttl', deregisterAfterMs: 90_000_000, target: '' }],
      },
    });
    const again = await grpc.call('Register', {
      registration: {
        service: 'orders',
        address: '127.0.0.1',
        port: 4_001,
        tags: ['version:v2'],
        metadata: { zone: 'b' },
        weight: 7,
        leaseTimes: { ttlMs: 60_000 },
        checks: [{ id: 'self', ttlMs: 60_000, deregisterAfterMs: 90_000_000 }],
      },
    });
    expect(again).toMatchObject({ created: false, changed: false });

    const id = 'orders-127.0.0.1-4001';
    const reported = await grpc.call('Report', {
      id,
      status: 'STATUS_WARNING',
      output: 'slow',
      metadata: { build: '9' },
      removedMetadata: ['zone'],
    });
    expect(reported).toMatchObject({
      instance: { status: 'STATUS_WARNING', routable: true, metadata: { build: '9' } },
    });
    expect(reported.ttlMs).toBeGreaterThan(50_000);
    const read = await grpc.call('GetInstance', { id });
    expect(read).toMatchObject({
      instance: { id, status: 'STATUS_WARNING' },
      checkStates: [{ id: 'self', status: 'STATUS_WARNING', output: 'slow' }],
    });
    expect(read.remainingTtlMs).toBeGreaterThan(50_000);
    const native = await call(server.control, 'GET', `/api/v1/instances/${id}`);
    expect(native.body).toMatchObject({ weight: 7, status: 'warning', metadata: { build: '9' } });

    const gone = await grpc.call('Deregister', { id });
    expect(gone.instance.id).toBe(id);
    expect((await failure(grpc.call('GetInstance', { id }))).code).toBe(status.NOT_FOUND);
  });

  test('is drained and weighed by the operator, and let be again', async () => {
    await grpc.call('Register', { registration: aRegistration('drained', 4_002) });
    const id = 'drained-127.0.0.1-4002';
    const set = (change: object) => grpc.call('SetIntent', { id, ...change });
    expect((await set({ enabled: false })).instance).toMatchObject({
      routable: false,
      intent: { enabled: false, maintenance: null },
    });
    expect((await set({ enabled: true, weight: 0 })).instance).toMatchObject({
      effectiveWeight: 0,
      intent: { enabled: true, weight: 0 },
    });
    expect((await set({ maintenance: { reason: 'disk' } })).instance).toMatchObject({
      routable: false,
      intent: { maintenance: { reason: 'disk' } },
    });
    const freed = await set({ clearWeight: true, clearMaintenance: true });
    expect(freed.instance).toMatchObject({ routable: true, effectiveWeight: 100 });
    expect(freed.instance.intent).not.toHaveProperty('weight');
  });

  test('of an exclusive service knows its role and term, and is handed over', async () => {
    for (const port of [4_005, 4_006]) {
      await grpc.call('Register', {
        registration: aRegistration('chief', port, { exclusive: true }),
      });
    }
    const roles = async (): Promise<string[]> => {
      const [{ instances }] = await grpc.list('ListInstances', { service: 'chief' });
      return instances.map((one: Message) => `${one.port} ${one.exclusive.role} ${one.routable}`);
    };
    await eventually(async () => ((await roles()).includes('4005 active true') ? true : undefined));
    expect(await roles()).toEqual(['4005 active true', '4006 standby false']);
    const { term } = await grpc.call('HandOver', { service: 'chief', to: 'chief-127.0.0.1-4006' });
    expect(term).toMatchObject({ active: 'chief-127.0.0.1-4006', reason: 'requested' });
    expect(await roles()).toEqual(['4005 standby false', '4006 active true']);
    const watch = grpc.watch({ service: 'chief' });
    await eventually(() => watch.messages.find((message) => message.ready));
    expect(viewsOf(watch).at(-1).exclusive).toMatchObject({ term: term.term });
    watch.stream.cancel();
    await watch.ended;
    const plain = await failure(grpc.call('HandOver', { service: 'drained' }));
    expect([plain.code, detailsOf(plain)]).toEqual([
      status.FAILED_PRECONDITION,
      expect.stringContaining('SERVICE_NOT_EXCLUSIVE'),
    ]);
  });

  test('of a batch succeeds or fails by itself', async () => {
    const answer = await grpc.call('RegisterBatch', {
      registrations: [
        aRegistration('crowd', 4_010),
        aRegistration('crowd', 0),
        aRegistration('crowd', 4_011, { address: '169.254.169.254' }),
        aRegistration('crowd', 4_012),
      ],
    });
    expect(answer.failed).toBe(2);
    expect(answer.results.map((one: Message) => one.fault?.code ?? one.id)).toEqual([
      'crowd-127.0.0.1-4010',
      'VALIDATION_FAILED',
      'ADDRESS_FORBIDDEN',
      'crowd-127.0.0.1-4012',
    ]);
  });

  test('lives as long as it is renewed over a stream, one answer for each request', async () => {
    const leaseTimes = { ttlMs: 1_000 };
    for (const port of [4_020, 4_021]) {
      await grpc.call('Register', {
        registration: { service: 'beating', address: '127.0.0.1', port, leaseTimes },
      });
    }
    const stream = grpc.heartbeats();
    const answers: Message[] = [];
    stream.on('data', (answer) => answers.push(answer));
    const beat = () => stream.write({ ids: ['beating-127.0.0.1-4020', 'never-there'] });
    const timer = setInterval(beat, 200);
    try {
      // The other one is not renewed.
      await eventually(async () => {
        const [list] = await grpc.list('ListInstances', { service: 'beating' });
        return list.instances.length === 1 ? list : undefined;
      }, 10_000);
      const [left] = await grpc.list('ListInstances', { service: 'beating' });
      expect(left.instances[0].id).toBe('beating-127.0.0.1-4020');
    } finally {
      clearInterval(timer);
    }
    expect(answers.length).toBeGreaterThan(3);
    for (const answer of answers) {
      expect(answer).toEqual({ renewed: 1, unknownIds: ['never-there'] });
    }
    stream.end();
    await once(stream, 'end');
  });
});

describe('lists', () => {
  test('are filtered, and are at one revision however many messages they take', async () => {
    const registrations = Array.from({ length: 600 }, (_, at) =>
      aRegistration('long', 10_000 + at, {
        tags: at % 2 === 0 ? ['even'] : [],
        metadata: { filler: 'x'.repeat(500), side: at < 300 ? 'left' : 'right' },
      }),
    );
    const { failed } = await grpc.call('RegisterBatch', { registrations });
    expect(failed).toBe(0);
    const messages = await grpc.list('ListInstances', { service: 'long' });
    expect(messages.length).toBeGreaterThan(1);
    expect(new Set(messages.map(({ revision }) => revision)).size).toBe(1);
    expect(messages.flatMap(({ instances }) => instances)).toHaveLength(600);
    const filtered = await grpc.list('ListInstances', {
      service: 'long',
      tags: ['even'],
      labels: { side: 'left' },
      routableOnly: true,
    });
    expect(filtered.flatMap(({ instances }) => instances)).toHaveLength(150);
    const [services] = await grpc.list('ListServices', { namespace: '*' });
    expect(services.services.find((one: Message) => one.service === 'long')).toMatchObject({
      namespace: 'default',
      group: 'default',
      instances: 600,
      routable: 600,
    });
    expect((await grpc.list('ListInstances', { service: 'nobody' }))[0].instances).toEqual([]);
  });
});

describe('a watch', () => {
  test('begins with the present state, then tells changes of its scope only', async () => {
    await register(server.control, 'seen', 4_030);
    const one = grpc.watch({ service: 'seen' });
    const all = grpc.watch({});
    await eventually(() => all.messages.find((message) => message.ready));
    await eventually(() => one.messages.find((message) => message.ready));
    expect(one.messages.map(({ event }) => event)).toEqual(['sync', 'view', 'ready']);
    expect(one.messages[0].sync.full).toBe(true);
    await register(server.control, 'unseen', 4_031);
    await register(server.control, 'seen', 4_032);
    await eventually(() => (viewsOf(one).at(-1).instances.length === 2 ? true : undefined));
    expect(new Set(viewsOf(one).map(({ service }) => service))).toEqual(new Set(['seen']));
    expect(viewsOf(all).some(({ service }) => service === 'unseen')).toBe(true);
    await call(server.control, 'DELETE', '/api/v1/instances/seen-127.0.0.1-4030');
    await call(server.control, 'DELETE', '/api/v1/instances/seen-127.0.0.1-4032');
    await eventually(() => (viewsOf(one).at(-1).instances.length === 0 ? true : undefined));
    one.stream.cancel();
    all.stream.cancel();
    expect((await one.ended)?.code).toBe(status.CANCELLED);
    await all.ended;
  });

  test('of a service that is not there yet says so, and then that it has come', async () => {
    const watch = grpc.watch({ service: 'later', namespace: 'team' });
    await eventually(() => watch.messages.find((message) => message.ready));
    expect(viewsOf(watch)).toMatchObject([{ service: 'later', namespace: 'team', instances: [] }]);
    await register(server.control, 'later', 4_033, { namespace: 'team' });
    await eventually(() => (viewsOf(watch).at(-1).instances.length === 1 ? true : undefined));
    watch.stream.cancel();
    await watch.ended;
  });

  test('that is slow is told less, not late: what waits for it is bounded', async () => {
    const own = connectGrpc(address, { 'grpc.use_local_subchannel_pool': 1 });
    const registrations = Array.from({ length: 900 }, (_, at) =>
      aRegistration('wide', 20_000 + at, { metadata: { filler: 'y'.repeat(500) } }),
    );
    await grpc.call('RegisterBatch', { registrations });
    const watch = own.watch({ service: 'wide' });
    await eventually(() => watch.messages.find((message) => message.ready));
    watch.stream.pause();
    const before = watch.messages.length;
    // Each change is a view of about a megabyte: unbounded, they would be 200 of them.
    for (let round = 0; round < 200; round++) {
      await grpc.call('Report', { id: 'wide-127.0.0.1-20000', metadata: { round: `${round}` } });
    }
    watch.stream.resume();
    await eventually(() => {
      const newest = viewsOf(watch)
        .flatMap(({ instances }) => instances)
        .findLast(({ id }: Message) => id === 'wide-127.0.0.1-20000');
      return newest?.metadata.round === '199' ? true : undefined;
    }, 20_000);
    const later = watch.messages.slice(before).filter(({ view }) => view && !view.more);
    expect(later.length).toBeLessThan(20);
    // The parts of a view belong together: whole views of 900, whatever was left out between them.
    let instances = 0;
    for (const { view } of watch.messages) {
      if (!view) continue;
      instances += view.instances.length;
      if (view.more) continue;
      expect(instances).toBe(900);
      instances = 0;
    }
    watch.stream.cancel();
    await watch.ended;
    own.close();
  });
});

describe('faults', () => {
  test('have the canonical code, and details for programs', async () => {
    const bad = await failure(
      grpc.call('Register', { registration: { service: 'x y', address: '127.0.0.1', port: 1 } }),
    );
    expect([bad.code, bad.details]).toEqual([
      status.INVALID_ARGUMENT,
      expect.stringMatching(/^service: expected a name/),
    ]);
    expect(detailsOf(bad)).toContain('type.googleapis.com/google.rpc.ErrorInfo');
    expect(detailsOf(bad)).toContain('VALIDATION_FAILED');
    expect(detailsOf(bad)).toContain('type.googleapis.com/google.rpc.BadRequest');
    const missing = await failure(grpc.call('Report', { id: 'nobody' }));
    expect([missing.code, detailsOf(missing)]).toEqual([
      status.NOT_FOUND,
      expect.stringContaining('INSTANCE_NOT_FOUND'),
    ]);
    const forbidden = await failure(
      grpc.call('Register', { registration: aRegistration('own', Number(address.split(':')[1])) }),
    );
    expect([forbidden.code, detailsOf(forbidden)]).toEqual([
      status.PERMISSION_DENIED,
      expect.stringContaining('ADDRESS_FORBIDDEN'),
    ]);
    for (const [method, request] of [
      ['Register', {}],
      ['RegisterBatch', {}],
      ['Register', { registration: aRegistration('a', 1, { status: 99 }) }],
      ['Register', { registration: aRegistration('a', 1, { leaseProfile: 99 }) }],
      ['Register', { registration: aRegistration('a', 1, { checks: [{}] }) }],
      ['Register', { registration: aRegistration('a', 1, { checks: [{ tcp: 'nowhere' }] }) }],
      ['Register', { registration: aRegistration('a', 1, { weight: 70_000 }) }],
      ['Register', { registration: aRegistration('a', 1, { leaseTimes: { ttlMs: 1e15 } }) }],
      ['Report', { id: 'a', status: 'STATUS_UNKNOWN' }],
      ['SetIntent', { id: 'drained-127.0.0.1-4002', weight: 70_000 }],
    ] as const) {
      const error = await failure(grpc.call(method, request));
      expect([method, request, error.code]).toEqual([method, request, status.INVALID_ARGUMENT]);
    }
  });

  test('of a deadline, a size and a method end the call, not the connection', async () => {
    const late = await failure(grpc.call('GetInstance', { id: 'x' }, -1));
    expect(late.code).toBe(status.DEADLINE_EXCEEDED);
    const large = await failure(
      grpc.call('Register', {
        registration: aRegistration('big', 1, { metadata: { a: 'x'.repeat(5 * 1_024 * 1_024) } }),
      }),
    );
    expect(large.code).toBe(status.RESOURCE_EXHAUSTED);
    expect((await failure(grpc.call('GetInstance', { id: 'x' }))).code).toBe(status.NOT_FOUND);
  });

  test('of too many heartbeats end the stream with a status', async () => {
    const stream = grpc.heartbeats();
    stream.resume();
    const ended = once(stream, 'error');
    stream.write({ ids: Array.from({ length: 10_001 }, (_, at) => `i${at}`) });
    const [error] = (await ended) as [ServiceError];
    expect(error.code).toBe(status.INVALID_ARGUMENT);
  });

  test('of bytes that are no HTTP/2, or no message, change nothing', async () => {
    const [host = '', port = ''] = address.split(':');
    for (const bytes of [
      randomBytes(400),
      Buffer.from('GET / HTTP/1.1\r\n\r\n'),
      Buffer.alloc(9),
    ]) {
      const socket = connect(Number(port), host);
      socket.on('error', () => undefined);
      socket.end(bytes);
      socket.resume();
      await once(socket, 'close');
    }
    const raw = { requestType: 'Raw', responseType: 'Raw', comment: '' };
    const loaded = loadPackageDefinition(
      fromJSON({
        nested: {
          portolan: {
            nested: {
              registry: {
                nested: {
                  v1: {
                    nested: {
                      Raw: { fields: { bytes: { type: 'bytes', id: 1 } } },
                      Registry: { methods: { Register: raw, Watch: raw, Nothing: raw } },
                    },
                  },
                },
              },
            },
          },
        },
      }),
    ) as Message;
    const Raw = loaded.portolan.registry.v1.Registry as ServiceClientConstructor;
    const client = new Raw(address, credentials.createInsecure());
    const send = (method: string, bytes: Buffer): Promise<unknown> =>
      new Promise((resolve, reject) => {
        (client as Client).makeUnaryRequest(
          `/portolan.registry.v1.Registry/${method}`,
          (given: Buffer) => given,
          (given: Buffer) => given,
          bytes,
          (error, answer) => (error ? reject(error) : resolve(answer)),
        );
      });
    const before = await grpc.list('ListServices', { namespace: '*' });
    for (let round = 0; round < 100; round++) {
      const { code } = await failure(send('Register', randomBytes(1 + (round % 60))));
      expect([status.INVALID_ARGUMENT, status.INTERNAL]).toContain(code);
    }
    expect((await failure(send('Nothing', Buffer.alloc(0)))).code).toBe(status.UNIMPLEMENTED);
    expect(await grpc.list('ListServices', { namespace: '*' })).toEqual(before);
    client.close();
  });

  test('of a port that is taken end the start', async () => {
    const { code, stderr } = await runPortolan(
      ['serve', '--control', '127.0.0.1:0', '--gateway', '127.0.0.1:0', '--grpc', address],
      { cwd: server.dataDir, env: { PORTOLAN_DATA_DIR: `${server.dataDir}/other` } },
    );
    expect(code).not.toBe(0);
    expect(stderr).toContain(
      `${address} (grpc) is in use by another process. Choose another with --grpc HOST:PORT or dialects.grpc.listen.`,
    );
  });
});

test('health and reflection answer as gRPC’s tools ask', async () => {
  const health = loadPackageDefinition(
    fromJSON({
      nested: {
        grpc: {
          nested: {
            health: {
              nested: {
                v1: {
                  nested: {
                    Q: { fields: { service: { type: 'string', id: 1 } } },
                    A: { fields: { status: { type: 'int32', id: 1 } } },
                    Health: {
                      methods: { Check: { requestType: 'Q', responseType: 'A', comment: '' } },
                    },
                  },
                },
              },
            },
            reflection: {
              nested: {
                v1: {
                  nested: {
                    Q: { fields: { listServices: { type: 'string', id: 7 } } },
                    A: { fields: { list: { type: 'List', id: 6 } } },
                    List: { fields: { service: { rule: 'repeated', type: 'Named', id: 1 } } },
                    Named: { fields: { name: { type: 'string', id: 1 } } },
                    ServerReflection: {
                      methods: {
                        ServerReflectionInfo: {
                          requestType: 'Q',
                          requestStream: true,
                          responseType: 'A',
                          responseStream: true,
                          comment: '',
                        },
                      },
                    },
                  },
                },
              },
            },
          },
        },
      },
    }),
  ) as Message;
  const healthClient = new health.grpc.health.v1.Health(address, credentials.createInsecure());
  const check = (service: string): Promise<Message> =>
    new Promise((resolve, reject) => {
      healthClient.Check({ service }, (error: Error | null, answer: Message) =>
        error ? reject(error) : resolve(answer),
      );
    });
  expect((await check('')).status).toBe(1);
  expect((await check('portolan.registry.v1.Registry')).status).toBe(1);
  expect((await failure(check('other'))).code).toBe(status.NOT_FOUND);
  healthClient.close();

  const reflection = new health.grpc.reflection.v1.ServerReflection(
    address,
    credentials.createInsecure(),
  );
  const stream = reflection.ServerReflectionInfo();
  stream.write({ listServices: '' });
  const [answer] = (await once(stream, 'data')) as [Message];
  expect(answer.list.service.map(({ name }: Message) => name)).toEqual(
    expect.arrayContaining(['portolan.registry.v1.Registry', 'grpc.health.v1.Health']),
  );
  stream.end();
  await once(stream, 'end');
  reflection.close();
});

test('metrics count calls and open streams', async () => {
  const watch = grpc.watch({});
  await eventually(() => watch.messages.find((message) => message.ready));
  const metrics = await (await fetch(`${server.control}/metrics`)).text();
  expect(metrics).toMatch(/portolan_grpc_calls_total\{method="Register",code="OK"\} [1-9]/);
  expect(metrics).toMatch(
    /portolan_grpc_calls_total\{method="Register",code="VALIDATION_FAILED"\}/,
  );
  expect(metrics).toMatch(/portolan_grpc_streams 1\n/);
  watch.stream.cancel();
  await watch.ended;
});

describe('a server that goes', () => {
  test('tells watchers and heartbeats to come back, and ends', async () => {
    const own = await startPortolan({ args: ['--grpc', '127.0.0.1:0'] });
    const client = connectGrpc(printedAddress(own.stdout(), 'grpc'));
    try {
      const watch = client.watch({});
      await eventually(() => watch.messages.find((message) => message.ready));
      const beats = client.heartbeats();
      beats.resume();
      beats.write({ ids: ['a'] });
      await once(beats, 'data');
      const beatsEnded = once(beats, 'error');
      expect(await own.stop()).toEqual({ code: 0, signal: null });
      const ended = await watch.ended;
      expect([ended?.code, detailsOf(ended as ServiceError)]).toEqual([
        status.UNAVAILABLE,
        expect.stringContaining('SHUTTING_DOWN'),
      ]);
      expect(((await beatsEnded)[0] as ServiceError).code).toBe(status.UNAVAILABLE);
    } finally {
      client.close();
      await own.dispose();
    }
  });

  test('by a kill: what was acknowledged is there again, and a watch goes on where it was', async () => {
    const own = await startPortolan({ args: ['--grpc', '127.0.0.1:0'] });
    let again: PortolanProcess | undefined;
    const client = connectGrpc(printedAddress(own.stdout(), 'grpc'));
    try {
      await client.call('Register', { registration: aRegistration('kept', 4_050) });
      await client.call('Register', { registration: aRegistration('still', 4_051) });
      const watch = client.watch({});
      await eventually(() => watch.messages.find((message) => message.ready));
      await client.call('Register', { registration: aRegistration('kept', 4_052) });
      await eventually(() => (watch.messages.length === 5 ? true : undefined));
      const resume = watch.messages.at(-1).resumeRevision;
      await client.call('Register', { registration: aRegistration('kept', 4_053) });
      await own.stop('SIGKILL');
      expect((await watch.ended)?.code).toBe(status.UNAVAILABLE);

      again = await startPortolan({ dataDir: own.dataDir, args: ['--grpc', '127.0.0.1:0'] });
      const anew = connectGrpc(printedAddress(again.stdout(), 'grpc'));
      const resumed = anew.watch({ fromRevision: resume });
      await eventually(() => resumed.messages.find((message) => message.ready));
      const kept = viewsOf(resumed).find(({ service }) => service === 'kept');
      expect(kept.instances.map(({ port }: Message) => port)).toEqual([4_050, 4_052, 4_053]);
      // A later watch in the same life gets only what changed.
      const upTo = resumed.messages.at(-1).resumeRevision;
      await anew.call('Register', { registration: aRegistration('kept', 4_054) });
      const shorter = anew.watch({ fromRevision: upTo });
      await eventually(() => shorter.messages.find((message) => message.ready));
      expect(shorter.messages[0].sync.full).toBe(false);
      expect(viewsOf(shorter).map(({ service }) => service)).toEqual(['kept']);
      for (const one of [resumed, shorter]) one.stream.cancel();
      anew.close();
    } finally {
      client.close();
      await again?.dispose();
      await own.dispose();
    }
  });
});
