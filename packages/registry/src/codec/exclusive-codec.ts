import type { ExclusiveTerm, ServiceSettings, TermReason } from '@portolan/core';
import {
  booleanField,
  decodeValue,
  encodeValue,
  numberField,
  oneOfField,
  stringField,
} from './stored-value.ts';

/** A term as stored: its number is the revision of what holds it. */
export type StoredTerm = Omit<ExclusiveTerm, 'term'>;

const REASONS: readonly TermReason[] = ['vacant', 'gone', 'unhealthy', 'drained', 'requested'];

export function encodeSettings(settings: ServiceSettings): string {
  const { namespace, group, service, exclusive } = settings;
  return encodeValue({ namespace, group, service, exclusive });
}

/** Throws `DamagedValue`. */
export function decodeSettings(value: string): ServiceSettings {
  const fields = decodeValue(value);
  return {
    namespace: stringField(fields, 'namespace'),
    group: stringField(fields, 'group'),
    service: stringField(fields, 'service'),
    exclusive: booleanField(fields, 'exclusive'),
  };
}

export function encodeTerm(term: StoredTerm): string {
  return encodeValue(term);
}

/** Throws `DamagedValue`. */
export function decodeTerm(value: string): StoredTerm {
  const fields = decodeValue(value);
  return {
    ...(fields.active === undefined ? {} : { active: stringField(fields, 'active') }),
    sinceMs: numberField(fields, 'sinceMs'),
    reason: oneOfField(fields, 'reason', REASONS),
  };
}
