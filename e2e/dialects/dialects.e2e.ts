import { Resolver } from 'node:dns/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { connectGrpc, type GrpcRegistry, printedAddress } from '../support/grpc-registry.ts';
import { type PortolanProcess, startPortolan } from '../support/portolan-process.ts';
import { consulDoor } from './consul-door.ts';
import { dnsDoor } from './dns-door.ts';
import { type Ability, type Door, expectedOf, type ReportedStatus, type Sample } from './door.ts';
import { eurekaDoor } from './eureka-door.ts';
import { DOOR_FIELDS, type DoorFields, type DoorName, type Field } from './fields.ts';
import { grpcDoor } from './grpc-door.ts';
import { nacosDoor } from './nacos-door.ts';
import { restDoor } from './rest-door.ts';

let server: PortolanProcess;
let grpc: GrpcRegistry;
let doors: Readonly<Record<DoorName, Door>>;

beforeAll(async () => {
  server = await startPortolan({ args: ['--grpc', '127.0.0.1:0', '--dns', '127.0.0.1:0'] });
  grpc = connectGrpc(printedAddress(server.stdout(), 'grpc'));
  doors = {
    rest: restDoor(server.control),
    grpc: grpcDoor(grpc),
    consul: consulDoor(server.control),
    dns: dnsDoor(printedAddress(server.stdout(), 'dns')),
    eureka: eurekaDoor(server.control),
    nacos: nacosDoor(server.control),
  };
});
afterAll(async () => {
  grpc.close();
  await server.dispose();
});

const NAMES = Object.keys(DOOR_FIELDS) as DoorName[];
const WRITERS = NAMES.filter((name) => DOOR_FIELDS[name].registers.length > 0);
const doing = (ability: 'report' | 'setMaintenance') =>
  NAMES.filter((name) => (DOOR_FIELDS[name] as DoorFields).does?.includes(ability));
let port = 5_000;

function aSample(service: string): Sample {
  port += 1;
  return {
    service,
    // As the registry makes it: Nacos cannot say another.
    id: `${service}-127.0.0.1-${port}`,
    address: '127.0.0.1',
    port,
    // What every dialect can say: Consul and Nacos count in hundreds.
    weight: 300,
    tags: ['blue', 'version:v2'],
    metadata: { zone: 'b', team: 'payments' },
  };
}

function able<A extends Ability>(name: DoorName, ability: A): NonNullable<Door[A]> {
  const does = doors[name][ability];
  if (!does) throw new Error(`${name} cannot ${ability}`);
  return does as NonNullable<Door[A]>;
}

/** Every door shows the sample as it is, in all the fields that it reads. */
async function everyDoorShows(
  sample: Sample,
  state: { readonly status: ReportedStatus; readonly maintenance: boolean },
  registeredBy: DoorName,
): Promise<void> {
  const expected = expectedOf(sample, state);
  const registered: readonly Field[] = [
    ...DOOR_FIELDS[registeredBy].registers,
    'status',
    'maintenance',
    'routable',
  ];
  for (const name of NAMES) {
    const reads: readonly Field[] = DOOR_FIELDS[name].reads;
    const compared = reads.filter((field) => registered.includes(field));
    const wanted = Object.fromEntries(compared.map((field) => [field, expected[field]]));
    const seen = await doors[name].read(sample.service);
    const { hides }: DoorFields = DOOR_FIELDS[name];
    const isHidden =
      (hides === 'not routable' && expected.routable === false) ||
      (hides === 'in maintenance' && state.maintenance);
    const shown = seen.map((one) =>
      Object.fromEntries(compared.map((field) => [field, one[field]])),
    );
    expect({ through: name, shown }).toEqual({ through: name, shown: isHidden ? [] : [wanted] });
  }
}

const EVERY_REPORT = ['warning', 'critical', 'passing'] as const;
const HEALTHY = { status: 'passing', maintenance: false } as const;

describe.each(WRITERS)('an instance registered through %s', (writer) => {
  test('is the same through every door, and gone through every door', async () => {
    const sample = aSample(`table-${writer}`);
    await able(writer, 'register')(sample);
    await everyDoorShows(sample, HEALTHY, writer);
    await able(writer, 'deregister')(sample);
    for (const name of NAMES) {
      expect([name, await doors[name].read(sample.service)]).toEqual([name, []]);
    }
  });

  test.each(doing('setMaintenance'))(
    'is put in maintenance through %s, and taken out again',
    async (other) => {
      const sample = aSample(`resting-${writer}-${other}`);
      await able(writer, 'register')(sample);
      await able(other, 'setMaintenance')(sample, true);
      await everyDoorShows(sample, { ...HEALTHY, maintenance: true }, writer);
      await able(other, 'setMaintenance')(sample, false);
      await everyDoorShows(sample, HEALTHY, writer);
    },
  );

  test.each(doing('report'))('has the status that is reported through %s', async (other) => {
    const sample = aSample(`ailing-${writer}-${other}`);
    const { brings }: DoorFields = DOOR_FIELDS[writer];
    const { leavesChecks, reportsAnew, says = EVERY_REPORT }: DoorFields = DOOR_FIELDS[other];
    await able(writer, 'register')(sample);
    if (brings !== undefined && leavesChecks !== undefined) {
      await expect(able(other, 'report')(sample, 'critical')).rejects.toThrow(leavesChecks);
      await everyDoorShows(sample, HEALTHY, writer);
      return;
    }
    for (const status of says) {
      await able(other, 'report')(sample, status);
      await everyDoorShows(sample, { ...HEALTHY, status }, reportsAnew ? other : writer);
    }
  });

  test.each(WRITERS)('is updated and deregistered through %s', async (other) => {
    const sample = aSample(`moving-${writer}-${other}`);
    await able(writer, 'register')(sample);
    const changed = { ...sample, weight: 200, metadata: { zone: 'c' } };
    await able(other, 'register')(changed);
    await everyDoorShows(changed, HEALTHY, other);
    await able(other, 'deregister')(changed);
    expect(await doors[writer].read(sample.service)).toEqual([]);
  });
});

test('a service without a port, as Consul has them, is found by DNS and gets no traffic', async () => {
  const body = JSON.stringify({ ID: 'store-1', Name: 'store', Address: '10.9.9.9' });
  const url = `${server.control}/v1/agent/service/register`;
  expect((await fetch(url, { method: 'PUT', body })).status).toBe(200);
  const resolver = new Resolver({ timeout: 5_000, tries: 1 });
  resolver.setServers([printedAddress(server.stdout(), 'dns')]);
  expect(await resolver.resolve4('store.service.dc1.consul')).toEqual(['10.9.9.9']);
  expect(await resolver.resolveSrv('store.service.consul')).toMatchObject([{ port: 0 }]);
  const [seen] = await doors.rest.read('store');
  expect(seen?.weight).toBe(0);
});

describe('a dialect that is not wanted', () => {
  /** Says on standard error what is loaded. */
  const WATCH = `data:text/javascript,${encodeURIComponent(
    `import { registerHooks } from 'node:module';
     registerHooks({ load(url, context, next) {
       process.stderr.write('loaded ' + url + '\\n');
       return next(url, context);
     } });`,
  )}`;
  const PARTS = /loaded .*(protocols\/(?:dns|grpc)\/|dns-packet|grpc-js|proto-loader)/;

  test('is not loaded; one that is wanted is', async () => {
    const env = { NODE_OPTIONS: `--import=${WATCH}` };
    const without = await startPortolan({ env });
    expect(without.stderr()).toContain('loaded ');
    expect(PARTS.exec(without.stderr())?.[0]).toBeUndefined();
    await without.dispose();
    const withDns = await startPortolan({ env, args: ['--dns', '127.0.0.1:0'] });
    expect(withDns.stderr()).toMatch(/loaded .*dns-packet/);
    expect(withDns.stderr()).not.toMatch(/loaded .*(grpc-js|protocols\/grpc)/);
    await withDns.dispose();
  });
});
