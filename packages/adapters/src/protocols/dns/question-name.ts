import { DEFAULT_GROUP, DEFAULT_NAMESPACE, type IpAddress } from '@portolan/core';

/** A service as a name can ask for it; all in lower case. */
export interface AskedService {
  readonly namespace: string;
  readonly group: string;
  readonly name: string;
  /** Only instances that carry this tag. */
  readonly tag?: string;
}

/** What a name in one of our zones stands for. */
export type AskedName =
  | { readonly kind: 'apex' }
  /** Nothing by itself, but there are names below it (RFC 8020). */
  | { readonly kind: 'branch' }
  | { readonly kind: 'nameserver' }
  | { readonly kind: 'address'; readonly ip: IpAddress }
  /** The readings of the name, the likeliest first: names and tags may hold dots. */
  | { readonly kind: 'service'; readonly readings: readonly AskedService[] }
  | { readonly kind: 'nothing' };

export interface Zones {
  readonly zone: string;
  readonly aliases: readonly string[];
  readonly datacenter: string;
}

export interface NameInZone {
  readonly zone: string;
  /** Labels in front of the zone's. */
  readonly labels: readonly string[];
  readonly isAlias: boolean;
}

const NOTHING: AskedName = { kind: 'nothing' };
const BRANCH: AskedName = { kind: 'branch' };
const QUALIFIERS = ['ns', 'group', 'dc'] as const;
/** A name of many labels could be read in thousands of ways. */
const MAX_READINGS = 16;

/** Finds the zone that the name, in labels of lower case, ends with. */
export function findZone(labels: readonly string[], zones: Zones): NameInZone | undefined {
  for (const zone of [zones.zone, ...zones.aliases]) {
    const end = zone.split('.');
    const at = labels.length - end.length;
    if (at >= 0 && end.every((label, index) => label === labels[at + index])) {
      return { zone, labels: labels.slice(0, at), isAlias: zone !== zones.zone };
    }
  }
  return undefined;
}

/**
 * Reads `[tag.]name.service[.qualifiers]`, `_name._tag[.service][.qualifiers]` (RFC 2782; `_tcp` stands for any tag) and
 * `HEX.addr`. Qualifiers are a namespace, or pairs as in `blue.group.team.ns`.
 */
export function readName(name: NameInZone, datacenter: string): AskedName {
  const { labels } = name;
  const [first] = labels;
  if (first === undefined) return { kind: 'apex' };
  const read = (after: readonly string[]) => readQualifiers(after, name.isAlias, datacenter);
  if (labels.length === 1 && first === 'ns') return { kind: 'nameserver' };
  const readings = first.startsWith('_') ? readRfc2782(labels, read) : readPlain(labels, read);
  if (readings.length > 0) return { kind: 'service', readings };
  if (labels[1] === 'addr' && read(labels.slice(2))) {
    const ip = parseHexAddress(first);
    return ip ? { kind: 'address', ip } : NOTHING;
  }
  const isProtocol = first.startsWith('_') && !labels[1]?.startsWith('_');
  const isBranch = first === 'service' || first === 'addr' || isProtocol || isQualifier(first);
  return isBranch && (isQualifier(first) || read(labels.slice(1))) ? BRANCH : NOTHING;
}

type Scope = Pick<AskedService, 'namespace' | 'group'>;
type ReadScope = (after: readonly string[]) => Scope | undefined;

function readPlain(labels: readonly string[], read: ReadScope): AskedService[] {
  const readings: AskedService[] = [];
  // From the right: what stands in front may be a service that is itself called `service`.
  for (let at = labels.length - 1; at > 0; at--) {
    const scope = labels[at] === 'service' ? read(labels.slice(at + 1)) : undefined;
    if (!scope) continue;
    for (let cut = 0; cut < at && readings.length < MAX_READINGS; cut++) {
      const tag = labels.slice(0, cut).join('.');
      const named = withGroup(scope, labels.slice(cut, at).join('.'));
      readings.push({ ...named, ...(cut === 0 ? {} : { tag }) });
    }
  }
  return readings;
}

function readRfc2782(labels: readonly string[], read: ReadScope): AskedService[] {
  const at = labels.findIndex((label, index) => index > 0 && label.startsWith('_'));
  if (at < 0) return [];
  const after = labels.slice(at + 1);
  const scope = read(after[0] === 'service' ? after.slice(1) : after);
  const name = labels.slice(0, at).join('.').slice(1);
  const tag = labels[at]?.slice(1) ?? '';
  if (!scope || name === '' || tag === '') return [];
  return [{ ...withGroup(scope, name), ...(tag === 'tcp' ? {} : { tag }) }];
}

/** `group@@name`, as other dialects without a word for groups list a service. */
function withGroup(scope: Scope, name: string): Scope & { readonly name: string } {
  const at = name.indexOf('@@');
  if (at <= 0) return { ...scope, name };
  return { ...scope, group: name.slice(0, at), name: name.slice(at + 2) };
}

function readQualifiers(
  labels: readonly string[],
  isAlias: boolean,
  datacenter: string,
): Scope | undefined {
  const named: Partial<Record<(typeof QUALIFIERS)[number], string>> = {};
  let rest = labels;
  for (let kind = rest.at(-1); rest.length >= 2 && isQualifier(kind); kind = rest.at(-1)) {
    if (named[kind] !== undefined) return undefined;
    named[kind] = rest.at(-2) as string;
    rest = rest.slice(0, -2);
  }
  const plain = rest.join('.');
  if (plain !== '' && !(isAlias && plain === datacenter)) {
    if (named.ns !== undefined) return undefined;
    named.ns = plain;
  }
  if (named.dc !== undefined && named.dc !== datacenter) return undefined;
  return { namespace: named.ns ?? DEFAULT_NAMESPACE, group: named.group ?? DEFAULT_GROUP };
}

function isQualifier(label: string | undefined): label is (typeof QUALIFIERS)[number] {
  return (QUALIFIERS as readonly (string | undefined)[]).includes(label);
}

/** `0a000001` or 32 digits: an address as a label, so that every target of an SRV record has a name. */
export function toHexAddress(ip: IpAddress): string {
  return ip.bytes.map((byte) => byte.toString(16).padStart(2, '0')).join('');
}

function parseHexAddress(label: string): IpAddress | undefined {
  if (!/^(?:[0-9a-f]{8}|[0-9a-f]{32})$/.test(label)) return undefined;
  const bytes = Array.from({ length: label.length / 2 }, (_, at) =>
    Number.parseInt(label.slice(at * 2, at * 2 + 2), 16),
  );
  return { family: bytes.length === 4 ? 4 : 6, bytes };
}
