import {
  type CatalogueReader,
  formatIp,
  parseIp,
  type Random,
  type ServiceView,
} from '@portolan/core';
import { bareAnswer, type DnsAnswer, type DnsRecord } from './dns-answer.ts';
import type { DnsOptions } from './dns-options.ts';
import type { FoldedServices } from './folded-services.ts';
import { type AskedService, findZone, type NameInZone, readName } from './question-name.ts';
import type { PooledType, ServicePools } from './service-pools.ts';

export interface AnswerDeps {
  readonly options: DnsOptions;
  readonly catalogue: CatalogueReader;
  readonly services: FoldedServices;
  readonly pools: ServicePools;
  readonly random: Random;
  /** More than there is room for are of no use. */
  readonly maxRecords: number;
}

export interface DnsQuestion {
  /** In lower case. */
  readonly labels: readonly string[];
  /** As dns-packet names it: `A`, `SRV`, `ANY`, `UNKNOWN_65400`. */
  readonly type: string;
  readonly class: string;
}

/** Zone transfers, and the types that only a resolver or a cache has an answer to. */
const REFUSED_TYPES = new Set(['AXFR', 'IXFR', 'TKEY', 'TSIG']);
/** What answers a type: the first of these that there are any of. */
const TYPES: Readonly<Record<string, readonly PooledType[]>> = {
  A: ['A', 'CNAME'],
  AAAA: ['AAAA', 'CNAME'],
  CNAME: ['CNAME'],
  SRV: ['SRV'],
  TXT: ['TXT'],
  // RFC 8482 §4.1: one of the sets, not all of them.
  ANY: ['A', 'AAAA', 'CNAME'],
};

const NOTHING: DnsAnswer = { ...bareAnswer('NOERROR'), authoritative: true };

/** The answer to a question, from the catalogue as it is at this moment. */
export function answerQuestion(question: DnsQuestion, deps: AnswerDeps): DnsAnswer {
  const { options } = deps;
  const name = findZone(question.labels, options);
  const isInternet = question.class === 'IN' || question.class === 'ANY';
  if (!name || !isInternet || REFUSED_TYPES.has(question.type)) return bareAnswer('REFUSED');
  const asked = readName(name, options.datacenter);
  const { type } = question;
  switch (asked.kind) {
    case 'apex':
      return answerApex(type, name, deps);
    case 'branch':
      return nothing('NOERROR', name, deps);
    case 'nothing':
      return nothing('NXDOMAIN', name, deps);
    case 'nameserver':
      return records(ofType(type, ownAddress(deps)), name, deps);
    case 'address': {
      const address = formatIp(asked.ip);
      const record: DnsRecord = { type: asked.ip.family === 4 ? 'A' : 'AAAA', data: address };
      return records(ofType(type, [withTtl(record, options)]), name, deps);
    }
    case 'service':
      return answerService(type, asked.readings, name, deps);
  }
}

function answerService(
  type: string,
  readings: readonly AskedService[],
  name: NameInZone,
  deps: AnswerDeps,
): DnsAnswer {
  for (const reading of readings) {
    const view = deps.services.find(reading);
    if (view) return answerView(type, view, reading.tag, name, deps);
  }
  return nothing('NXDOMAIN', name, deps);
}

function answerView(
  type: string,
  view: ServiceView,
  tag: string | undefined,
  name: NameInZone,
  deps: AnswerDeps,
): DnsAnswer {
  const { pools, random, maxRecords } = deps;
  const pool = (pooled: PooledType) => pools.of(view, pooled, name.zone, tag);
  // As Consul: a service of which nothing works has no name, so that nobody waits for an address of it.
  if (pool('SRV').size === 0) return nothing('NXDOMAIN', name, deps);
  for (const pooled of TYPES[type] ?? []) {
    const records = pool(pooled);
    if (records.size === 0) continue;
    const drawn = records.draw(pooled === 'CNAME' ? 1 : maxRecords, random);
    const additionals = new Map(
      drawn.flatMap(({ additional }) => (additional ? [[additional.name, additional]] : [])),
    );
    return {
      rcode: 'NOERROR',
      authoritative: true,
      answers: drawn.map(({ record }) => record),
      // Of aliases one is all there may be.
      isCut: pooled !== 'CNAME' && drawn.length < records.size,
      authorities: [],
      additionals: [...additionals.values()],
    };
  }
  return nothing('NOERROR', name, deps);
}

function answerApex(type: string, name: NameInZone, deps: AnswerDeps): DnsAnswer {
  const server = `ns.${name.zone}`;
  if (type === 'NS') {
    const ns = withTtl({ type: 'NS', data: server }, deps.options);
    const additionals = ownAddress(deps).map((record) => ({ ...record, name: server }));
    return { ...records([ns], name, deps), additionals };
  }
  if (type === 'SOA' || type === 'ANY') return records([soaOf(name, deps)], name, deps);
  return nothing('NOERROR', name, deps);
}

/** Known only when we listen at one address. */
function ownAddress({ options }: AnswerDeps): DnsRecord[] {
  const ip = parseIp(options.listen.host);
  if (!ip || ip.bytes.every((byte) => byte === 0)) return [];
  return [withTtl({ type: ip.family === 4 ? 'A' : 'AAAA', data: formatIp(ip) }, options)];
}

function ofType(type: string, all: readonly DnsRecord[]): DnsRecord[] {
  return all.filter((record) => type === 'ANY' || record.type === type);
}

function records(answers: readonly DnsRecord[], name: NameInZone, deps: AnswerDeps): DnsAnswer {
  if (answers.length === 0) return nothing('NOERROR', name, deps);
  return { ...NOTHING, answers };
}

/** RFC 2308 §5: the SOA record says how long this may be remembered. */
function nothing(rcode: 'NOERROR' | 'NXDOMAIN', name: NameInZone, deps: AnswerDeps): DnsAnswer {
  const soa = { ...soaOf(name, deps), name: name.zone };
  return { ...NOTHING, rcode, authorities: [soa] };
}

function soaOf({ zone }: NameInZone, { options, catalogue }: AnswerDeps): DnsRecord {
  const negativeTtl = seconds(options.negativeTtlMs);
  return {
    type: 'SOA',
    ttl: negativeTtl,
    data: {
      mname: `ns.${zone}`,
      rname: `hostmaster.${zone}`,
      serial: catalogue.revision % 2 ** 32,
      refresh: 3_600,
      retry: 600,
      expire: 86_400,
      minimum: negativeTtl,
    },
  };
}

function withTtl(record: DnsRecord, options: DnsOptions): DnsRecord {
  return { ...record, ttl: seconds(options.ttlMs) } as DnsRecord;
}

export function seconds(ms: number): number {
  return Math.ceil(ms / 1_000);
}
