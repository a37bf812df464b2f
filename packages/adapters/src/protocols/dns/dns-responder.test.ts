import { type Instance, NO_LOGGER, NO_METRICS } from '@portolan/core';
import { seededRandom } from '@portolan/testing';
import {
  type Answer,
  type DecodedPacket,
  decode,
  encode,
  type OptAnswer,
  type RecordType,
} from 'dns-packet';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { measureDns } from './dns-metrics.ts';
import { DEFAULT_DNS_OPTIONS, type DnsOptions } from './dns-options.ts';
import { createDnsResponder } from './dns-responder.ts';
import { anInstance, fixedCatalogue } from './test-catalogue/fixed-catalogue.ts';

const SEND = () => 'send' as const;

function responderFor(instances: readonly Instance[], options: Partial<DnsOptions> = {}) {
  const errors: object[] = [];
  const responder = createDnsResponder(
    { ...DEFAULT_DNS_OPTIONS, ...options },
    {
      catalogue: fixedCatalogue(...instances),
      random: seededRandom(3),
      logger: { ...NO_LOGGER, error: (fields) => void errors.push(fields) },
      metrics: measureDns(NO_METRICS),
    },
  );
  return { ...responder, errors };
}

interface Asking {
  readonly edns?: Partial<OptAnswer>;
  readonly options?: Partial<DnsOptions>;
  readonly flags?: number;
  readonly class?: 'IN' | 'CH';
}

function queryBytes(name: string, type: RecordType, asking: Asking = {}): Buffer {
  const opt = { type: 'OPT', name: '.', udpPayloadSize: 4096, flags: 0, ...asking.edns };
  return encode({
    type: 'query',
    id: 4711,
    flags: asking.flags ?? 0x0100,
    questions: [{ name, type, class: asking.class ?? 'IN' }],
    additionals: asking.edns ? [opt as unknown as Answer] : [],
  });
}

type Packet = DecodedPacket & { readonly rcode: string };

function ask(
  instances: readonly Instance[],
  name: string,
  type: RecordType,
  asking: Asking = {},
): Packet {
  const reply = responderFor(instances, asking.options).overUdp(
    queryBytes(name, type, asking),
    SEND,
  );
  if (!reply) throw new Error('there was no answer');
  return decode(reply) as Packet;
}

const data = (answers: readonly Answer[] | undefined): unknown[] =>
  (answers ?? []).map((answer) => ('data' in answer ? answer.data : undefined));
const soaIn = (packet: Packet): boolean => packet.authorities?.[0]?.type === 'SOA';

describe('a service', () => {
  test('has the addresses of its routable instances, each once', () => {
    const reply = ask(
      [
        anInstance({ address: '10.0.0.1', port: 80 }),
        anInstance({ address: '10.0.0.1', port: 81 }),
        anInstance({ address: '10.0.0.2' }),
        anInstance({ address: '::ffff:10.0.0.3' }),
        anInstance({ address: '10.0.0.9', routable: false }),
        anInstance({ address: '10.0.0.8', effectiveWeight: 0 }),
      ],
      'web.service.portolan',
      'A',
    );
    expect(data(reply.answers).sort()).toEqual(['10.0.0.1', '10.0.0.2', '10.0.0.3']);
    expect(reply).toMatchObject({
      id: 4711,
      rcode: 'NOERROR',
      flag_aa: true,
      flag_rd: true,
      flag_ra: false,
      flag_tc: false,
    });
  });

  test('has its IPv6 addresses under AAAA', () => {
    const both = [anInstance(), anInstance({ address: 'fd00::2' })];
    expect(data(ask(both, 'web.service.portolan', 'AAAA').answers)).toEqual(['fd00::2']);
    expect(data(ask(both, 'web.service.portolan', 'A').answers)).toEqual(['10.0.0.1']);
  });

  test('has no data, but a name, where none of its addresses is of the family asked for', () => {
    const reply = ask([anInstance()], 'web.service.portolan', 'AAAA');
    expect([reply.rcode, reply.answers?.length, soaIn(reply)]).toEqual(['NOERROR', 0, true]);
  });

  test('has targets with port and weight, whose addresses come along and can be asked for', () => {
    const instances = [
      anInstance({ address: '10.0.0.1', port: 8080, weight: 7 }),
      anInstance({ address: 'fd00::2', port: 9090 }),
    ];
    const reply = ask(instances, 'web.service.consul', 'SRV', { edns: {} });
    expect(new Set(data(reply.answers))).toEqual(
      new Set([
        { priority: 1, weight: 7, port: 8080, target: '0a000001.addr.consul' },
        {
          priority: 1,
          weight: 100,
          port: 9090,
          target: 'fd000000000000000000000000000002.addr.consul',
        },
      ]),
    );
    const named = (reply.additionals ?? []).filter(({ type }) => type !== 'OPT');
    expect(named.map(({ name, type }) => `${name} ${type}`).sort()).toEqual([
      '0a000001.addr.consul A',
      'fd000000000000000000000000000002.addr.consul AAAA',
    ]);
    expect(data(ask(instances, '0a000001.addr.consul', 'A').answers)).toEqual(['10.0.0.1']);
    expect(ask(instances, '0a000001.addr.consul', 'AAAA')).toMatchObject({
      rcode: 'NOERROR',
      answers: [],
    });
  });

  test('tells what it knows of its instances in TXT', () => {
    const metadata = { zone: 'a', long: 'x'.repeat(300) };
    const reply = ask(
      [anInstance({ tags: ['v1', 'version:2'], metadata })],
      'web.service.portolan',
      'TXT',
    );
    expect(data(reply.answers).map(String)).toEqual([
      'id=web-10.0.0.1-80,port=80,weight=100,version=2,zone=a',
    ]);
  });

  test('is found by tag, whatever the case, and not where no instance has it', () => {
    const instances = [
      anInstance({ address: '10.0.0.1', tags: ['Blue'] }),
      anInstance({ address: '10.0.0.2', tags: ['version:v2'] }),
    ];
    const addresses = (name: string) => data(ask(instances, name, 'A').answers);
    expect(addresses('blue.web.service.portolan')).toEqual(['10.0.0.1']);
    expect(addresses('_web._blue.service.portolan')).toEqual(['10.0.0.1']);
    expect(addresses('version:v2.web.service.portolan')).toEqual(['10.0.0.2']);
    expect(ask(instances, 'green.web.service.portolan', 'A').rcode).toBe('NXDOMAIN');
  });

  test('with a dot in its name is found before a tag of that name', () => {
    const service = { namespace: 'default', group: 'default', name: 'v1.web' };
    const instances = [
      anInstance({ address: '10.0.0.1', tags: ['v1'] }),
      anInstance({ address: '10.0.0.2', service }),
    ];
    const reply = ask(instances, 'v1.web.service.portolan', 'A');
    expect(data(reply.answers)).toEqual(['10.0.0.2']);
  });

  test('with capitals in its name is found, while it is there', () => {
    const service = { namespace: 'Team', group: 'default', name: 'USER-SERVICE' };
    const instance = anInstance({ service });
    const catalogue = fixedCatalogue();
    const responder = createDnsResponder(DEFAULT_DNS_OPTIONS, {
      catalogue,
      random: seededRandom(1),
      logger: NO_LOGGER,
      metrics: measureDns(NO_METRICS),
    });
    const rcode = () => {
      const query = queryBytes('User-Service.service.team.portolan', 'A');
      return (decode(responder.overUdp(query, SEND) as Buffer) as Packet).rcode;
    };
    expect(rcode()).toBe('NXDOMAIN');
    catalogue.hold(instance);
    expect(rcode()).toBe('NOERROR');
    catalogue.remove(instance);
    expect(rcode()).toBe('NXDOMAIN');
    responder.close();
    expect(catalogue.subscribers).toBe(0);
  });

  test('of another group or namespace is asked for by it', () => {
    const service = { namespace: 'team', group: 'blue', name: 'web' };
    const instances = [anInstance({ service })];
    expect(ask(instances, 'web.service.portolan', 'A').rcode).toBe('NXDOMAIN');
    expect(ask(instances, 'web.service.team.portolan', 'A').rcode).toBe('NXDOMAIN');
    expect(ask(instances, 'web.service.blue.group.team.ns.portolan', 'A').rcode).toBe('NOERROR');
  });

  test('of which nothing works has no name', () => {
    const reply = ask([anInstance({ routable: false })], 'web.service.portolan', 'SRV');
    expect([reply.rcode, soaIn(reply)]).toEqual(['NXDOMAIN', true]);
  });

  test('whose instances all have host names is an alias of one; targets are the names themselves', () => {
    const instances = ['b.internal', 'a.internal'].map((address) => anInstance({ address }));
    const reply = ask(instances, 'web.service.portolan', 'A');
    expect(reply.answers).toHaveLength(1);
    expect(reply.answers?.[0]?.type).toBe('CNAME');
    const targets = data(ask(instances, 'web.service.portolan', 'SRV').answers) as {
      target: string;
    }[];
    expect(targets.map(({ target }) => target).sort()).toEqual(['a.internal', 'b.internal']);
    const mixed = ask([...instances, anInstance()], 'web.service.portolan', 'A');
    expect(data(mixed.answers)).toEqual(['10.0.0.1']);
  });

  test('leaves out an instance whose host name DNS cannot carry', () => {
    for (const address of ['a..b', `${'a'.repeat(64)}.internal`]) {
      const instances = [anInstance({ address }), anInstance()];
      expect(ask(instances, 'web.service.portolan', 'SRV').answers).toHaveLength(1);
    }
  });

  test('without a port, as Consul’s clients register it, has its address all the same', () => {
    const metadata = { 'consul.portless': 'true' };
    const portless = anInstance({ port: 49_152, weight: 0, metadata });
    expect(data(ask([portless], 'web.service.consul', 'A').answers)).toEqual(['10.0.0.1']);
    expect(data(ask([portless], 'web.service.consul', 'SRV').answers)).toMatchObject([
      { port: 0, weight: 100 },
    ]);
    const drained = { ...portless, intent: { enabled: true, weight: 0 } };
    expect(ask([drained], 'web.service.consul', 'A').rcode).toBe('NXDOMAIN');
  });

  test('is shuffled by weight', () => {
    const responder = responderFor([
      anInstance({ address: '10.0.0.1', weight: 1 }),
      anInstance({ address: '10.0.0.2', weight: 9 }),
    ]);
    let heavy = 0;
    for (let round = 0; round < 1_000; round++) {
      const reply = responder.overUdp(queryBytes('web.service.portolan', 'A'), SEND) as Buffer;
      if (data(decode(reply).answers)[0] === '10.0.0.2') heavy += 1;
    }
    expect(heavy / 1_000).toBeCloseTo(0.9, 1);
  });

  test('answers ANY with one set of records', () => {
    const both = [anInstance(), anInstance({ address: 'fd00::2' })];
    expect(data(ask(both, 'web.service.portolan', 'ANY' as RecordType).answers)).toEqual([
      '10.0.0.1',
    ]);
  });

  test('has the configured time to live', () => {
    const options = { ttlMs: 30_000, negativeTtlMs: 5_000 };
    const found = ask([anInstance()], 'web.service.portolan', 'A', { options });
    expect(found.answers?.[0]).toMatchObject({ ttl: 30 });
    const missing = ask([], 'web.service.portolan', 'A', { options });
    expect(missing.authorities?.[0]).toMatchObject({ ttl: 5, data: { minimum: 5 } });
  });
});

describe('a zone', () => {
  test('says who is its authority, with the revision as serial', () => {
    const reply = ask([], 'portolan', 'SOA');
    expect(data(reply.answers)).toMatchObject([
      { mname: 'ns.portolan', rname: 'hostmaster.portolan', serial: 8 },
    ]);
    const servers = ask([], 'consul', 'NS');
    expect(data(servers.answers)).toEqual(['ns.consul']);
    expect(data(servers.additionals)).toEqual(['127.0.0.1']);
    expect(data(ask([], 'ns.consul', 'A').answers)).toEqual(['127.0.0.1']);
  });

  test('has no data at its branches, so that a resolver which walks them goes on', () => {
    for (const name of ['portolan', 'service.portolan', '_tcp.service.portolan']) {
      expect(ask([], name, 'A')).toMatchObject({ rcode: 'NOERROR', answers: [] });
    }
    expect(ask([], 'other.portolan', 'A').rcode).toBe('NXDOMAIN');
  });

  test('repeats the question as it was asked, also in the names of its records', () => {
    const name = 'wEb.SerVice.PORTOLAN';
    const reply = ask([anInstance()], name, 'A');
    expect(reply.questions?.[0]?.name).toBe(name);
    expect(reply.answers?.[0]).toMatchObject({ name, data: '10.0.0.1' });
  });

  test('refuses other zones, other classes and transfers: it resolves nothing for anybody', () => {
    for (const [name, type, asking] of [
      ['example.com', 'A', {}],
      ['.', 'NS', {}],
      ['1.0.0.10.in-addr.arpa', 'PTR', {}],
      ['version.bind', 'TXT', { class: 'CH' }],
      ['web.service.portolan', 'TXT', { class: 'CH' }],
      ['portolan', 'AXFR', {}],
    ] as const) {
      const reply = ask([anInstance()], name, type, asking);
      expect([name, reply.rcode, reply.flag_aa]).toEqual([name, 'REFUSED', false]);
      expect([...(reply.answers ?? []), ...(reply.authorities ?? [])]).toEqual([]);
    }
  });

  test('does not take a dot within a label for one between two', () => {
    const query = queryBytes('webXservice.portolan', 'A');
    query[query.indexOf('X')] = '.'.charCodeAt(0);
    const reply = responderFor([anInstance()]).overUdp(query, SEND) as Buffer;
    expect((decode(reply) as Packet).rcode).toBe('NXDOMAIN');
    expect(reply.subarray(12, query.length)).toEqual(query.subarray(12));
  });
});

describe('room', () => {
  const many = Array.from({ length: 200 }, (_, at) => anInstance({ address: `10.0.1.${at}` }));
  const size = (name: string, type: RecordType, edns?: Partial<OptAnswer>): [number, Packet] => {
    const query = queryBytes(name, type, edns ? { edns } : {});
    const reply = responderFor(many).overUdp(query, SEND) as Buffer;
    return [reply.length, decode(reply) as Packet];
  };

  test('is 512 bytes without EDNS: whole records, and TC when some are missing', () => {
    const [bytes, packet] = size('web.service.portolan', 'A');
    expect(bytes).toBeLessThanOrEqual(512);
    expect(packet.flag_tc).toBe(true);
    expect(packet.answers?.length).toBe(Math.floor((512 - 12 - 26) / 16));
  });

  test('is what the asker can take, between 512 bytes and our own limit', () => {
    for (const [told, limit] of [
      [1, 512],
      [100, 512],
      [800, 800],
      [65_535, 1_232],
    ] as const) {
      const [bytes, packet] = size('web.service.portolan', 'SRV', { udpPayloadSize: told });
      expect(bytes).toBeLessThanOrEqual(limit);
      expect(bytes).toBeGreaterThan(limit - 60);
      expect(packet.flag_tc).toBe(true);
      expect(packet.additionals).toMatchObject([{ type: 'OPT', udpPayloadSize: 1_232 }]);
    }
  });

  test('has all of it over TCP', () => {
    const reply = responderFor(many).overTcp(queryBytes('web.service.portolan', 'SRV')) as Buffer;
    const packet = decode(reply) as Packet;
    expect([packet.flag_tc, packet.answers?.length]).toEqual([false, 200]);
    expect(packet.additionals).toHaveLength(200);
  });

  test('has a thousand of a very large service over TCP, drawn anew each time', () => {
    const fleet = Array.from({ length: 1_500 }, (_, at) =>
      anInstance({ address: `10.${at >> 8}.${at & 255}.1` }),
    );
    const responder = responderFor(fleet);
    const drawn = () => {
      const reply = responder.overTcp(queryBytes('web.service.portolan', 'A')) as Buffer;
      const packet = decode(reply) as Packet;
      expect(packet.flag_tc).toBe(false);
      return new Set(data(packet.answers));
    };
    const [one, other] = [drawn(), drawn()];
    expect([one.size, other.size]).toEqual([1_000, 1_000]);
    expect(new Set([...one, ...other]).size).toBeGreaterThan(1_200);
  });

  test('leaves addresses of targets out without TC: they can be asked for', () => {
    const few = many.slice(0, 8);
    const query = queryBytes('web.service.portolan', 'SRV');
    const packet = decode(responderFor(few).overUdp(query, SEND) as Buffer) as Packet;
    expect([packet.flag_tc, packet.answers?.length]).toEqual([false, 8]);
    expect(packet.additionals?.length).toBeLessThan(8);
  });
});

describe('a message', () => {
  const first = (bytes: Buffer): Packet | undefined => {
    const reply = responderFor([anInstance()]).overUdp(bytes, SEND);
    return reply && (decode(reply) as Packet);
  };
  const good = queryBytes('web.service.portolan', 'A');

  test('too short, or an answer itself, gets no answer', () => {
    expect(first(good.subarray(0, 11))).toBeUndefined();
    const answer = Buffer.from(good);
    answer.writeUInt16BE(0x8000, 2);
    expect(first(answer)).toBeUndefined();
  });

  test('of another kind is not implemented; one with no, two or cut questions is malformed', () => {
    const update = Buffer.from(good);
    update.writeUInt16BE(5 << 11, 2);
    expect(first(update)).toMatchObject({ id: 4711, rcode: 'NOTIMP', opcode: 'UPDATE' });
    for (const [at, count] of [
      [4, 0],
      [4, 2],
      [6, 1],
      [8, 1],
      [10, 1],
      [10, 65_535],
    ] as const) {
      const odd = Buffer.from(good);
      odd.writeUInt16BE(count, at);
      expect(first(odd)?.rcode).toBe('FORMERR');
    }
    expect(first(good.subarray(0, 20))?.rcode).toBe('FORMERR');
    expect(first(Buffer.concat([good, Buffer.from([0])]))?.rcode).toBe('FORMERR');
  });

  test('with a compressed question is malformed', () => {
    const pointing = Buffer.from(good);
    pointing[12] = 0xc0;
    expect(first(pointing)?.rcode).toBe('FORMERR');
  });

  test('of a later EDNS is told our version, one with two OPT records is malformed', () => {
    const later = ask([anInstance()], 'web.service.portolan', 'A', { edns: { ednsVersion: 1 } });
    expect(later.answers).toEqual([]);
    expect(later.additionals).toMatchObject([{ extendedRcode: 1, ednsVersion: 0 }]);
    const opt = { type: 'OPT', name: '.', udpPayloadSize: 512, flags: 0 } as unknown as Answer;
    const two = encode({
      type: 'query',
      questions: [{ name: 'web.service.portolan', type: 'A' }],
      additionals: [opt, opt],
    });
    expect(first(two)?.rcode).toBe('FORMERR');
  });

  test('with the bit for DNSSEC gets it back, unsigned as the zone is', () => {
    const reply = ask([anInstance()], 'web.service.portolan', 'A', { edns: { flags: 0x8000 } });
    expect(reply.additionals).toMatchObject([{ flag_do: true }]);
    expect(reply.answers).toHaveLength(1);
  });

  test('over the limit of its source is asked to come over TCP, or dropped', () => {
    const responder = responderFor([anInstance()]);
    const cut = responder.overUdp(good, () => 'truncate') as Buffer;
    expect(decode(cut)).toMatchObject({ id: 4711, flag_tc: true, answers: [] });
    expect(cut.length).toBeLessThanOrEqual(good.length);
    expect(responder.overUdp(good, () => 'drop')).toBeUndefined();
  });

  test('of any bytes whatever gets a bounded, readable answer or none, and never an exception', () => {
    const instances = [
      ...Array.from({ length: 60 }, (_, at) => anInstance({ address: `10.0.2.${at}` })),
      anInstance({ address: 'fd00::1', metadata: { a: 'b' } }),
    ];
    const responder = responderFor(instances);
    const names = ['web.service.portolan', '_web._tcp.consul', '0a000001.addr.consul', 'consul'];
    const types = ['A', 'AAAA', 'SRV', 'TXT', 'ANY', 'SOA', 'NS', 'CNAME', 'MX'] as const;
    const valid = fc
      .tuple(fc.constantFrom(...names), fc.constantFrom(...types), fc.boolean())
      .map(([name, type, edns]) => queryBytes(name, type as RecordType, edns ? { edns: {} } : {}));
    const mutated = fc
      .tuple(valid, fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 6 }), fc.nat())
      .map(([bytes, edits, cut]) => {
        const changed = Buffer.from(bytes);
        for (const [at, value] of edits) changed[at % changed.length] = value;
        return cut % 4 === 0 ? changed.subarray(0, cut % changed.length) : changed;
      });
    const message = fc.oneof(mutated, fc.uint8Array({ maxLength: 600 }).map(Buffer.from));
    fc.assert(
      fc.property(message, (bytes) => {
        const reply = responder.overUdp(bytes, SEND);
        const large = responder.overTcp(bytes);
        expect(reply === undefined).toBe(large === undefined);
        if (!reply || !large) return;
        expect(reply.length).toBeLessThanOrEqual(1_232);
        expect(large.length).toBeLessThanOrEqual(65_535);
        for (const one of [reply, large]) {
          expect(one.readUInt16BE(0)).toBe(bytes.readUInt16BE(0));
          expect(one.readUInt16BE(2) & 0x8000).toBe(0x8000);
          expect(decode(one)).toBeDefined();
          expect(decode.bytes).toBe(one.length);
        }
      }),
      { numRuns: 3_000 },
    );
    expect(responder.errors).toEqual([]);
  });
});
