import { refused } from './eureka-error.ts';
import {
  type DataCenterInfo,
  EUREKA_STATUSES,
  type EurekaPort,
  type EurekaRegistration,
  type EurekaStatus,
} from './instance-info.ts';

type Tree = Readonly<Record<string, unknown>>;

/**
 * Reads the tree that JSON and XML have in common: text as strings, an element with attributes as an object of `$` and
 * `@name`. Unknown members are passed over, as Eureka does; known ones of a wrong type are refused by name.
 */
export function readInstance(value: unknown): EurekaRegistration {
  const tree = asTree(value, 'instance');
  const lease = optional(tree, 'leaseInfo', asTree);
  return withoutAbsent({
    instanceId: optional(tree, 'instanceId', asText),
    hostName: optional(tree, 'hostName', asText),
    app: optional(tree, 'app', asText),
    ipAddr: optional(tree, 'ipAddr', asText),
    status: optional(tree, 'status', readStatus) ?? 'UP',
    port: optional(tree, 'port', asPort),
    securePort: optional(tree, 'securePort', asPort),
    countryId: optional(tree, 'countryId', asWhole),
    dataCenterInfo: optional(tree, 'dataCenterInfo', asDataCenter),
    renewalIntervalInSecs: lease && optional(lease, 'renewalIntervalInSecs', asWhole),
    durationInSecs: lease && optional(lease, 'durationInSecs', asWhole),
    metadata: optional(tree, 'metadata', asMetadata) ?? {},
    homePageUrl: optional(tree, 'homePageUrl', asText),
    statusPageUrl: optional(tree, 'statusPageUrl', asText),
    healthCheckUrl: optional(tree, 'healthCheckUrl', asText),
    secureHealthCheckUrl: optional(tree, 'secureHealthCheckUrl', asText),
    vipAddress: optional(tree, 'vipAddress', asText),
    secureVipAddress: optional(tree, 'secureVipAddress', asText),
    appGroupName: optional(tree, 'appGroupName', asText),
    asgName: optional(tree, 'asgName', asText),
    sid: optional(tree, 'sid', asText),
    lastDirtyTimestamp: optional(tree, 'lastDirtyTimestamp', asWhole),
  });
}

/** One of Eureka's five words, upper case. */
export function readStatus(value: unknown, name: string): EurekaStatus {
  const word = typeof value === 'string' ? value.toUpperCase() : value;
  const known = EUREKA_STATUSES.find((status) => status === word);
  if (known === undefined) throw wrong(name, EUREKA_STATUSES.join(', '), value);
  return known;
}

/** A whole number that is not negative, also as digits. */
export function asWhole(value: unknown, name: string): number {
  const text = typeof value === 'string' && /^\d{1,16}$/.test(value) ? Number(value) : value;
  if (typeof text !== 'number' || !Number.isSafeInteger(text) || text < 0) {
    throw wrong(name, 'a whole number', value);
  }
  return text;
}

function optional<T>(
  tree: Tree,
  name: string,
  read: (value: unknown, name: string) => T,
): T | undefined {
  const value = Object.hasOwn(tree, name) ? tree[name] : undefined;
  return value === undefined || value === null || value === '' ? undefined : read(value, name);
}

function asTree(value: unknown, name: string): Tree {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw wrong(name, 'an object', value);
  }
  return value as Tree;
}

function asText(value: unknown, name: string): string {
  const text = typeof value === 'number' ? String(value) : value;
  if (typeof text !== 'string') throw wrong(name, 'text', value);
  return text;
}

function asPort(value: unknown, name: string): EurekaPort {
  if (typeof value !== 'object') return { number: asWhole(value, name), enabled: true };
  const tree = asTree(value, name);
  const enabled = optional(tree, '@enabled', asFlag) ?? true;
  return { number: asWhole(tree.$, name), enabled };
}

function asFlag(value: unknown, name: string): boolean {
  const text = typeof value === 'string' ? value.toLowerCase() : value;
  if (text === true || text === 'true') return true;
  if (text === false || text === 'false') return false;
  throw wrong(name, '"true" or "false"', value);
}

function asDataCenter(value: unknown, name: string): DataCenterInfo {
  const tree = asTree(value, name);
  return withoutAbsent({
    name: optional(tree, 'name', asText),
    metadata: optional(tree, 'metadata', asMetadata),
  });
}

/** `@class` names the Java map and is no entry. */
function asMetadata(value: unknown, name: string): Record<string, string> {
  const metadata: Record<string, string> = Object.create(null);
  for (const [key, entry] of Object.entries(asTree(value, name))) {
    if (key === '@class') continue;
    if (entry === null) metadata[key] = '';
    else if (typeof entry === 'object') throw wrong(`${name}.${key}`, 'text', entry);
    else metadata[key] = String(entry);
  }
  return metadata;
}

function wrong(name: string, expected: string, found: unknown) {
  const shown = typeof found === 'string' ? JSON.stringify(found.slice(0, 40)) : typeof found;
  const path = `$.instance.${name}`;
  return refused(`${name} has to be ${expected}, not ${shown}`, { path, expected });
}

type Present<T> = { [K in keyof T]: Exclude<T[K], undefined> };

function withoutAbsent<T extends object>(value: T): Present<T> {
  for (const key of Object.keys(value) as (keyof T)[]) {
    if (value[key] === undefined) delete value[key];
  }
  return value as Present<T>;
}
