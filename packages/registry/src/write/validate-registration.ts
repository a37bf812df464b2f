import {
  type AddressPolicy,
  type CheckInput,
  type CheckSpec,
  LABEL_LIMITS,
  type Labels,
  type LeaseSpec,
  type ProbeConfig,
  type Problem,
  parseIp,
  parseTag,
  type Registration,
  type RegistrationInput,
  RegistryError,
  type WriteContext,
} from '@portolan/core';
import { fitsInBytes } from '../codec/utf8-length.ts';
import type { RegistryOptions } from '../options/registry-options.ts';

const NAME = /^[A-Za-z0-9](?:[A-Za-z0-9._@:-]{0,126}[A-Za-z0-9])?$/;
const NAME_EXPECTED =
  '1 to 128 letters, digits or one of . _ - : @, beginning and ending with a letter or digit';
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is refused
const ID = /^[^\u0000-\u0020\u007f/]{1,256}$/u;
const HOST = /^[A-Za-z0-9](?:[A-Za-z0-9._-]{0,251}[A-Za-z0-9])?$/;
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is refused
const CONTROL = /[\u0000-\u001f\u007f]/;
const FORBIDDEN_KEYS: ReadonlySet<string> = new Set(['__proto__', 'constructor', 'prototype']);
const DAY_MS = 86_400_000;
const MAX_CHECKS = 16;
const MAX_TAGS = 256;
const MAX_TAG_BYTES = LABEL_LIMITS.keyBytes + 1 + LABEL_LIMITS.valueBytes;
const NO_KEYS: ReadonlySet<string> = new Set();
const DEFAULT_WEIGHT = 100;
const NO_TAGS: readonly string[] = Object.freeze([]);
const NO_CHECKS: readonly CheckSpec[] = Object.freeze([]);

export interface ValidationDeps {
  readonly options: RegistryOptions;
  readonly addressPolicy: AddressPolicy;
}

/** Rules 1 to 8 on one registration, with defaults filled in. Throws `RegistryError` naming every field that is wrong. */
export function toRegistration(
  input: RegistrationInput,
  context: WriteContext,
  { options, addressPolicy }: ValidationDeps,
  registeredAtMs: number,
): Registration {
  const problems: Problem[] = [];
  const bad = (path: string, expected: string, found?: unknown): void => {
    problems.push({ path, expected, ...(found === undefined ? {} : { found: shorten(found) }) });
  };
  const { namespace, group, name } = input.service;
  if (!NAME.test(name)) bad('$.service', NAME_EXPECTED, name);
  if (!NAME.test(namespace)) bad('$.namespace', NAME_EXPECTED, namespace);
  if (!NAME.test(group)) bad('$.group', NAME_EXPECTED, group);
  const address = input.address;
  const ip = parseIp(address);
  if (!ip && (!HOST.test(address) || /(^|\.)\d+$/.test(address))) {
    bad('$.address', 'an IP address or a host name', address);
  }
  if (!isWhole(input.port, 1, 65_535)) bad('$.port', 'a port from 1 to 65535', input.port);
  const id = input.id ?? `${name}-${address}-${input.port}`;
  if (!ID.test(id))
    bad('$.id', '1 to 256 characters without space, slash or control characters', id);
  const tags = unique(input.tags ?? NO_TAGS);
  const metadata = input.metadata ?? {};
  checkLabels(tags, metadata, problems);
  const weight = input.weight ?? labelWeight(tags, metadata, bad);
  if (!isWhole(weight, 0, 65_535)) bad('$.weight', 'a whole number from 0 to 65535', weight);
  const checks = input.checks?.map((check, at) => toCheck(check, at, options, bad)) ?? NO_CHECKS;
  if (checks.length > MAX_CHECKS) bad('$.checks', `at most ${MAX_CHECKS} checks`, checks.length);
  for (let at = 1; at < checks.length; at++) {
    const check = checks[at] as CheckSpec;
    if (checks.findIndex((other) => other.id === check.id) !== at) {
      bad(`$.checks[${at}].id`, 'an id that no other check of the instance has', check.id);
    }
  }
  const lease = toLease(input, options, bad);
  if (problems.length > 0) {
    throw new RegistryError('VALIDATION_FAILED', { detail: describe(problems), problems });
  }
  if (!context.trusted && checks.some((check) => check.probe.kind === 'script')) {
    throw new RegistryError('SCRIPT_CHECK_FORBIDDEN', {
      detail:
        'A script check is taken from the operator’s own configuration or from `portolan agent` only; use http, tcp, grpc or ttl.',
      problems: [{ path: '$.check', expected: 'http, tcp, grpc or ttl', found: 'script' }],
    });
  }
  if (ip) forbid(addressPolicy, address, input.port, '$.address');
  for (let at = 0; at < checks.length; at++) {
    const { probe } = checks[at] as CheckSpec;
    const target = probeTarget(probe);
    if (target && parseIp(target.host)) {
      forbid(addressPolicy, target.host, target.port, `$.checks[${at}]`);
    }
  }
  const registration: { -readonly [K in keyof Registration]: Registration[K] } = {
    id,
    service: input.service,
    address,
    port: input.port,
    tags,
    metadata,
    weight,
    checks,
    initialStatus: input.initialStatus ?? (checks.length === 0 ? 'passing' : 'unknown'),
    registeredAtMs,
  };
  if (lease !== undefined) registration.lease = lease;
  if (input.owner !== undefined) registration.owner = input.owner;
  if (input.condition !== undefined) registration.condition = input.condition;
  return registration;
}

/** Refuses what the label limits or a name do not allow. Also used when labels change later. */
export function checkLabels(tags: readonly string[], metadata: Labels, problems: Problem[]): void {
  const names = Object.keys(metadata);
  if (tags.length > MAX_TAGS) {
    problems.push({
      path: '$.tags',
      expected: `at most ${MAX_TAGS} tags`,
      found: `${tags.length}`,
    });
  }
  for (let at = 0; at < tags.length; at++) {
    const tag = tags[at] as string;
    const pair = parseTag(tag);
    if (
      tag === '' ||
      !fitsInBytes(tag, MAX_TAG_BYTES) ||
      CONTROL.test(tag) ||
      !tag.isWellFormed()
    ) {
      const expected = 'a tag of 1 to 641 bytes without control characters';
      problems.push({ path: `$.tags[${at}]`, expected, found: shorten(tag) });
    } else if (pair) checkLabel('$.tags', pair.key, pair.value, problems, at);
  }
  for (const key of names) checkLabel('$.metadata.', key, metadata[key] ?? '', problems);
  const tooMany = names.length + tags.length > LABEL_LIMITS.keys;
  const keys = tooMany
    ? new Set([...names, ...tags.flatMap((tag) => parseTag(tag)?.key ?? [])])
    : NO_KEYS;
  if (keys.size > LABEL_LIMITS.keys) {
    problems.push({
      path: '$.metadata',
      expected: `at most ${LABEL_LIMITS.keys} labels, tags and metadata together`,
      found: `${keys.size}`,
    });
  }
}

/** `at` is the place of a tag; a path is made only for a problem. */
function checkLabel(
  field: string,
  key: string,
  value: string,
  problems: Problem[],
  at?: number,
): void {
  if (isLabelKey(key) && isLabelValue(value)) return;
  const path = at === undefined ? `${field}${shorten(key)}` : `${field}[${at}]`;
  if (key === '' || !fitsInBytes(key, LABEL_LIMITS.keyBytes) || CONTROL.test(key)) {
    const expected = `a key of 1 to ${LABEL_LIMITS.keyBytes} bytes without control characters`;
    problems.push({ path, expected, found: shorten(key) });
  } else if (FORBIDDEN_KEYS.has(key)) {
    problems.push({ path, expected: 'another key: this name is reserved', found: key });
  }
  if (!isLabelValue(value)) {
    const expected = `a value of at most ${LABEL_LIMITS.valueBytes} bytes without control characters`;
    problems.push({ path, expected, found: shorten(value) });
  }
}

function isLabelKey(key: string): boolean {
  return (
    key !== '' &&
    fitsInBytes(key, LABEL_LIMITS.keyBytes) &&
    !CONTROL.test(key) &&
    !FORBIDDEN_KEYS.has(key)
  );
}

function isLabelValue(value: string): boolean {
  return (
    fitsInBytes(value, LABEL_LIMITS.valueBytes) && !CONTROL.test(value) && value.isWellFormed()
  );
}

type Bad = (path: string, expected: string, found?: unknown) => void;

function labelWeight(tags: readonly string[], metadata: Labels, bad: Bad): number {
  const text = metadata.weight ?? tagValue(tags, 'weight');
  if (text === undefined) return DEFAULT_WEIGHT;
  const weight = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN;
  if (isWhole(weight, 0, 65_535)) return weight;
  bad(
    metadata.weight === undefined ? '$.tags' : '$.metadata.weight',
    'a whole number from 0 to 65535',
    text,
  );
  return DEFAULT_WEIGHT;
}

function tagValue(tags: readonly string[], key: string): string | undefined {
  for (const tag of tags) {
    if (!tag.startsWith(key)) continue;
    const pair = parseTag(tag);
    if (pair?.key === key) return pair.value;
  }
  return undefined;
}

function unique(tags: readonly string[]): readonly string[] {
  for (let at = 1; at < tags.length; at++) {
    if (tags.indexOf(tags[at] as string) < at) return [...new Set(tags)];
  }
  return tags;
}

function toLease(
  input: RegistrationInput,
  options: RegistryOptions,
  bad: Bad,
): LeaseSpec | undefined {
  const { leases } = options;
  const wanted = input.lease ?? ((input.checks ?? []).length > 0 ? 'none' : leases.defaultProfile);
  if (wanted === 'none') return undefined;
  if (wanted === 'default' || wanted === 'fast') return { profile: wanted, ...leases[wanted] };
  const { ttlMs } = wanted;
  const heartbeatMs = wanted.heartbeatMs ?? Math.max(1, Math.floor(ttlMs / 3));
  if (!isBetween(ttlMs, 100, 30 * DAY_MS)) bad('$.ttl', 'a time from 100ms to 30 days', ttlMs);
  if (!(heartbeatMs > 0 && heartbeatMs < ttlMs)) {
    bad('$.lease.heartbeat', 'a time shorter than the lease', heartbeatMs);
  }
  return { profile: 'custom', heartbeatMs, ttlMs };
}

function toCheck(input: CheckInput, at: number, options: RegistryOptions, bad: Bad): CheckSpec {
  const { probe } = input;
  const path = `$.checks[${at}]`;
  const isTtl = probe.kind === 'ttl';
  const intervalMs = isTtl ? probe.ttlMs : (input.intervalMs ?? options.checks.intervalMs);
  const timeoutMs = input.timeoutMs ?? Math.min(options.checks.timeoutMs, intervalMs);
  const rise = input.rise ?? options.checks.rise;
  const fall = input.fall ?? options.checks.fall;
  const deregisterAfterMs = input.deregisterAfterMs ?? options.checks.deregisterAfterMs;
  const id = input.id ?? `${probe.kind}-${at + 1}`;
  if (!ID.test(id)) bad(`${path}.id`, '1 to 256 characters without space or slash', id);
  if (!isBetween(intervalMs, 100, DAY_MS)) {
    bad(`${path}.${isTtl ? 'ttl' : 'interval'}`, 'a time from 100ms to 1 day', intervalMs);
  }
  if (!isBetween(timeoutMs, 10, 300_000))
    bad(`${path}.timeout`, 'a time from 10ms to 5m', timeoutMs);
  if (!isWhole(rise, 1, 100)) bad(`${path}.rise`, 'a whole number from 1 to 100', rise);
  if (!isWhole(fall, 1, 100)) bad(`${path}.fall`, 'a whole number from 1 to 100', fall);
  if (deregisterAfterMs !== undefined && !isBetween(deregisterAfterMs, 100, 365 * DAY_MS)) {
    bad(`${path}.deregisterAfter`, 'a time from 100ms to 365 days', deregisterAfterMs);
  }
  return {
    id,
    probe,
    intervalMs,
    timeoutMs,
    rise,
    fall,
    ...(deregisterAfterMs === undefined ? {} : { deregisterAfterMs }),
  };
}

function probeTarget(probe: ProbeConfig): { host: string; port: number } | undefined {
  if (probe.kind === 'tcp' || probe.kind === 'grpc') return probe;
  if (probe.kind !== 'http') return undefined;
  const match = /^(https?):\/\/(\[[^\]]+\]|[^:/?#]+)(?::(\d+))?/.exec(probe.url);
  if (!match) return undefined;
  const host = (match[2] ?? '').replace(/^\[|\]$/g, '');
  return { host, port: Number(match[3] ?? (match[1] === 'https' ? 443 : 80)) };
}

function forbid(policy: AddressPolicy, ip: string, port: number, path: string): void {
  const verdict = policy.check(ip, port);
  if (verdict.allowed) return;
  throw new RegistryError(isUnspecified(ip) ? 'VALIDATION_FAILED' : 'ADDRESS_FORBIDDEN', {
    detail: `${verdict.reason}. Allow its network in \`network.allow\` if it is meant to be dialled.`,
    problems: [{ path, expected: 'an address in an allowed network', found: `${ip}:${port}` }],
  });
}

function isUnspecified(ip: string): boolean {
  return ip === '0.0.0.0' || ip === '::';
}

function describe(problems: readonly Problem[]): string {
  const [first] = problems;
  const more = problems.length > 1 ? ` (and ${problems.length - 1} more)` : '';
  return `${first?.path} has to be ${first?.expected}${more}. Nothing was changed.`;
}

function isWhole(value: number, from: number, to: number): boolean {
  return Number.isInteger(value) && value >= from && value <= to;
}

function isBetween(value: number, from: number, to: number): boolean {
  return Number.isFinite(value) && value >= from && value <= to;
}

function shorten(value: unknown): string {
  const text = String(value);
  return text.length > 64 ? `${text.slice(0, 61)}…` : text;
}
