import {
  DEFAULT_GROUP,
  DEFAULT_NAMESPACE,
  parseDuration,
  type RegistrationInput,
  type Status,
} from '@portolan/core';
import { isHost, withoutBrackets } from '../../targets/probe-target.ts';
import { isCleanText, isId, isName, STATUS_WORDS } from './fields.ts';

/** What the query says where a registration is silent. */
export interface RegistrationFallback {
  readonly namespace?: string;
  readonly group?: string;
}

type Draft = { -readonly [K in keyof RegistrationInput]: RegistrationInput[K] };

export const MAX_TAGS = 256;
export const MAX_WEIGHT = 65_535;
export const LEASE_TIME = { minMs: 100, maxMs: 30 * 86_400_000 } as const;

/**
 * Reads a registration without checks, as nearly all that come again and again are, in a tenth of the time that the schema takes.
 * Undefined for whatever it does not take, right or wrong: the schema reads that, and says what is wrong with it. What both take
 * they read alike (registration-schema.test.ts).
 */
export function readPlainRegistration(
  body: unknown,
  fallback: RegistrationFallback,
): RegistrationInput | undefined {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) return undefined;
  const fields = body as Readonly<Record<string, unknown>>;
  let name: string | undefined;
  let address: string | undefined;
  let port: number | undefined;
  let id: string | undefined;
  let namespace: string | undefined;
  let group: string | undefined;
  let tags: readonly string[] | undefined;
  let metadata: Readonly<Record<string, string>> | undefined;
  let weight: number | undefined;
  let lease: RegistrationInput['lease'];
  let status: Status | undefined;
  for (const field in fields) {
    const value = fields[field];
    switch (field) {
      case 'service':
      case 'serviceName':
      case 'name':
        if (name !== undefined || typeof value !== 'string' || !isName(value)) return undefined;
        name = value;
        break;
      case 'address':
      case 'ip':
      case 'host':
        if (address !== undefined || typeof value !== 'string' || value.length > 255) {
          return undefined;
        }
        address = withoutBrackets(value);
        if (!isHost(address)) return undefined;
        break;
      case 'port':
        if (!isWhole(value, 1, 65_535)) return undefined;
        port = value;
        break;
      case 'id':
      case 'instanceId':
        if (id !== undefined || typeof value !== 'string' || !isId(value)) return undefined;
        id = value;
        break;
      case 'namespace':
        if (typeof value !== 'string' || !isName(value)) return undefined;
        namespace = value;
        break;
      case 'group':
        if (typeof value !== 'string' || !isName(value)) return undefined;
        group = value;
        break;
      case 'tags':
        if (!areTags(value)) return undefined;
        tags = value;
        break;
      case 'metadata':
      case 'meta':
        if (metadata !== undefined) return undefined;
        metadata = readMetadata(value);
        if (metadata === undefined) return undefined;
        break;
      case 'weight':
        if (!isWhole(value, 0, MAX_WEIGHT)) return undefined;
        weight = value;
        break;
      case 'ttl': {
        const ttlMs = parseDuration(value);
        if (lease !== undefined || ttlMs === undefined) return undefined;
        if (ttlMs < LEASE_TIME.minMs || ttlMs > LEASE_TIME.maxMs) return undefined;
        lease = thirds(ttlMs);
        break;
      }
      case 'lease':
        if (lease !== undefined) return undefined;
        if (value !== 'default' && value !== 'fast' && value !== 'none') return undefined;
        lease = value;
        break;
      case 'status':
        if (typeof value !== 'string' || !Object.hasOwn(STATUS_WORDS, value)) return undefined;
        status = STATUS_WORDS[value as keyof typeof STATUS_WORDS];
        break;
      default:
        return undefined;
    }
  }
  if (name === undefined || address === undefined || port === undefined) return undefined;
  const input: Draft = {
    service: {
      namespace: namespace ?? fallback.namespace ?? DEFAULT_NAMESPACE,
      group: group ?? fallback.group ?? DEFAULT_GROUP,
      name,
    },
    address,
    port,
  };
  if (id !== undefined) input.id = id;
  if (tags !== undefined) input.tags = tags;
  if (metadata !== undefined) input.metadata = metadata;
  if (weight !== undefined) input.weight = weight;
  if (lease !== undefined) input.lease = lease;
  if (status !== undefined) input.initialStatus = status;
  return input;
}

/** A lease whose heartbeat comes three times in its term. */
export function thirds(ttlMs: number): { readonly ttlMs: number; readonly heartbeatMs: number } {
  return { ttlMs, heartbeatMs: Math.max(1, Math.floor(ttlMs / 3)) };
}

function isWhole(value: unknown, from: number, to: number): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= from && value <= to;
}

function areTags(value: unknown): value is readonly string[] {
  if (!Array.isArray(value) || value.length > MAX_TAGS) return false;
  for (const tag of value) {
    if (typeof tag !== 'string' || tag === '' || !isCleanText(tag)) return false;
  }
  return true;
}

function readMetadata(value: unknown): Readonly<Record<string, string>> | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
  const given = value as Readonly<Record<string, unknown>>;
  let areTexts = true;
  for (const key in given) {
    const label = given[key];
    if (key === '' || key === '__proto__' || !isCleanText(key)) return undefined;
    if (typeof label === 'string' ? !label.isWellFormed() : !isSimple(label)) return undefined;
    areTexts &&= typeof label === 'string';
  }
  if (areTexts) return given as Readonly<Record<string, string>>;
  const labels: Record<string, string> = {};
  for (const key in given) labels[key] = String(given[key]);
  return labels;
}

function isSimple(value: unknown): boolean {
  return typeof value === 'boolean' || Number.isFinite(value);
}
