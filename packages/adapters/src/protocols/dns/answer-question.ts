import {
  type CatalogueReader,
  formatIp,
  type Instance,
  parseIp,
  type Random,
  type ServiceView,
} from '@portolan/core';
import { bareAnswer, type DnsAnswer, type DnsRecord } from './dns-answer.ts';
import type { DnsOptions } from './dns-options.ts';
import type { FoldedServices } from './folded-services.ts';
import { targetOf } from './instance-target.ts';
import { type AskedService, findZone, type NameInZone, readName } from './question-name.ts';
import { weightedOrder } from './weighted-order.ts';

export interface AnswerDeps {
  readonly options: DnsOptions;
  readonly catalogue: CatalogueReader;
  readonly services: FoldedServices;
  readonly random: Random;
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
/** RFC 6763 §6.1: a string of a TXT record has at most 255 bytes. */
const MAX_TEXT_BYTES = 255;

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
    if (!view) continue;
    const instances = routableInstances(view, reading.tag);
    // As Consul: a service of which nothing works has no name, so that nobody waits for an address of it.
    if (instances.length === 0) return nothing('NXDOMAIN', name, deps);
    return answerInstances(type, instances, name, deps);
  }
  return nothing('NXDOMAIN', name, deps);
}

function routableInstances(view: ServiceView, tag: string | undefined): readonly Instance[] {
  return view.instances.filter(
    (instance) =>
      instance.routable &&
      instance.effectiveWeight > 0 &&
      targetOf(instance).type !== 'none' &&
      (tag === undefined || instance.tags.some((each) => each.toLowerCase() === tag)),
  );
}

function answerInstances(
  type: string,
  instances: readonly Instance[],
  name: NameInZone,
  deps: AnswerDeps,
): DnsAnswer {
  const { options, random } = deps;
  const ordered = weightedOrder(instances, (instance) => instance.effectiveWeight, random);
  switch (type) {
    case 'A':
    case 'AAAA':
      return records(addressRecords(ordered, type, options), name, deps);
    case 'CNAME':
      return records(aliasRecords(ordered, options), name, deps);
    case 'SRV':
      return answerTargets(ordered, name, deps);
    case 'TXT':
      return records(
        ordered.map((instance) => withTtl({ type: 'TXT', data: textsOf(instance) }, options)),
        name,
        deps,
      );
    case 'ANY': {
      // RFC 8482 §4.1: one of the sets, not all of them.
      const v4 = addressRecords(ordered, 'A', options);
      return records(v4.length > 0 ? v4 : addressRecords(ordered, 'AAAA', options), name, deps);
    }
    default:
      return nothing('NOERROR', name, deps);
  }
}

/** One record an address, however many instances share it; only where all have host names, an alias of one of them. */
function addressRecords(
  ordered: readonly Instance[],
  type: 'A' | 'AAAA',
  options: DnsOptions,
): DnsRecord[] {
  const addresses = new Set<string>();
  for (const instance of ordered) {
    const target = targetOf(instance);
    if (target.type === type) addresses.add(target.address);
  }
  if (addresses.size === 0) return aliasRecords(ordered, options);
  return [...addresses].map((data) => withTtl({ type, data }, options));
}

/** RFC 1034 §3.6.2: a name that is an alias has no other records, and only one alias. */
function aliasRecords(ordered: readonly Instance[], options: DnsOptions): DnsRecord[] {
  const targets = ordered.map(targetOf);
  const [first] = targets;
  if (first?.type !== 'name' || targets.some(({ type }) => type !== 'name')) return [];
  return [withTtl({ type: 'CNAME', data: first.hostName }, options)];
}

function answerTargets(
  ordered: readonly Instance[],
  name: NameInZone,
  deps: AnswerDeps,
): DnsAnswer {
  const { options } = deps;
  const answers: DnsRecord[] = [];
  const additionals = new Map<string, DnsRecord>();
  for (const instance of ordered) {
    const where = targetOf(instance);
    if (where.type === 'none') continue;
    const target = where.type === 'name' ? where.hostName : `${where.hexLabel}.addr.${name.zone}`;
    const { port, effectiveWeight: weight } = instance;
    answers.push(withTtl({ type: 'SRV', data: { priority: 1, weight, port, target } }, options));
    if (where.type === 'name' || additionals.has(target)) continue;
    additionals.set(
      target,
      withTtl({ name: target, type: where.type, data: where.address }, options),
    );
  }
  return { ...records(answers, name, deps), additionals: [...additionals.values()] };
}

/** RFC 6763 §6: `key=value` strings, the instance's own words first. */
function textsOf(instance: Instance): string[] {
  const own = { id: instance.id, port: `${instance.port}`, weight: `${instance.effectiveWeight}` };
  return [...Object.entries(own), ...Object.entries(instance.labels)]
    .filter(([key]) => !key.includes('='))
    .map(([key, value]) => `${key}=${value}`)
    .filter((text) => Buffer.byteLength(text) <= MAX_TEXT_BYTES);
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
  return { rcode: 'NOERROR', authoritative: true, answers, authorities: [], additionals: [] };
}

/** RFC 2308 §5: the SOA record says how long this may be remembered. */
function nothing(rcode: 'NOERROR' | 'NXDOMAIN', name: NameInZone, deps: AnswerDeps): DnsAnswer {
  const soa = { ...soaOf(name, deps), name: name.zone };
  return { rcode, authoritative: true, answers: [], authorities: [soa], additionals: [] };
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

function seconds(ms: number): number {
  return Math.ceil(ms / 1_000);
}
