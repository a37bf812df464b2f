import type { Intent, Status } from '@portolan/core';
import { STATUSES } from './registration-codec.ts';
import {
  asObject,
  booleanField,
  decodeValue,
  encodeValue,
  numberField,
  objectField,
  oneOfField,
  stringField,
} from './stored-value.ts';

/** The last known health of an instance, as stored. Absent while it follows from the registration alone. */
export interface StoredStatus {
  readonly status: Status;
  readonly reason: string;
  /** Kept in rotation by mass-loss protection. */
  readonly protected: boolean;
  /** What the instance said of itself by heartbeat. */
  readonly reported?: Status;
  /** Status of each check, by id. */
  readonly checks: Readonly<Record<string, Status>>;
}

export function encodeStatus(status: StoredStatus): string {
  return encodeValue(status);
}

/** Throws `DamagedValue`. */
export function decodeStatus(value: string): StoredStatus {
  const fields = decodeValue(value);
  const checks = objectField(fields, 'checks');
  for (const id of Object.keys(checks)) oneOfField(checks, id, STATUSES);
  return {
    status: oneOfField(fields, 'status', STATUSES),
    reason: stringField(fields, 'reason'),
    protected: booleanField(fields, 'protected'),
    ...(fields.reported === undefined
      ? {}
      : { reported: oneOfField(fields, 'reported', STATUSES) }),
    checks: checks as Readonly<Record<string, Status>>,
  };
}

export function encodeIntent(intent: Intent): string {
  return encodeValue(intent);
}

/** Throws `DamagedValue`. */
export function decodeIntent(value: string): Intent {
  const fields = decodeValue(value);
  return {
    enabled: booleanField(fields, 'enabled'),
    ...(fields.weight === undefined ? {} : { weight: numberField(fields, 'weight') }),
    ...(fields.maintenance === undefined
      ? {}
      : {
          maintenance: {
            reason: stringField(asObject(fields.maintenance, 'maintenance'), 'reason'),
          },
        }),
  };
}

/** Since when a service is protected, epoch milliseconds. */
export function encodeProtection(sinceMs: number): string {
  return encodeValue({ sinceMs });
}

/** Throws `DamagedValue`. */
export function decodeProtection(value: string): number {
  return numberField(decodeValue(value), 'sinceMs');
}
