import {
  type Heartbeat,
  type IntentPatch,
  type RegistrationInput,
  RegistryError,
} from '@portolan/core';
import { requireValid } from '../rest/body/body-codec.ts';
import { heartbeatCodec, toHeartbeat } from '../rest/schemas/heartbeat-schema.ts';
import { intentCodec, toIntentPatch } from '../rest/schemas/intent-schema.ts';
import { parseRegistration } from '../rest/schemas/registration-schema.ts';
import type {
  ReportRequest,
  SetIntentRequest,
  WireCheck,
  WireRegistration,
  WireStatus,
} from './wire.ts';

const STATUS_WORDS: Readonly<Record<WireStatus, string | undefined>> = {
  STATUS_UNSPECIFIED: undefined,
  STATUS_PASSING: 'passing',
  STATUS_WARNING: 'warning',
  STATUS_CRITICAL: 'critical',
  STATUS_UNKNOWN: 'unknown',
};
const LEASE_WORDS: Readonly<Record<string, string | undefined>> = {
  LEASE_PROFILE_UNSPECIFIED: undefined,
  LEASE_PROFILE_DEFAULT: 'default',
  LEASE_PROFILE_FAST: 'fast',
  LEASE_PROFILE_NONE: 'none',
};

/** Reads a registration by the rules of the HTTP API: one validation for both doors. Throws what that throws. */
export function readRegistration(wire: WireRegistration | null | undefined): RegistrationInput {
  if (!wire) {
    throw new RegistryError('VALIDATION_FAILED', {
      detail: 'registration: expected a registration, found nothing.',
      problems: [{ path: '$', expected: 'a registration', found: 'nothing' }],
    });
  }
  return parseRegistration(toDocument(wire));
}

export function readReport(wire: ReportRequest): Heartbeat | undefined {
  const { status, checkId, output, metadata, removedMetadata } = wire;
  const removed = Object.fromEntries(removedMetadata.map((key) => [key, null]));
  const changed = { ...metadata, ...removed };
  return toHeartbeat(
    requireValid(heartbeatCodec, {
      ...said('status', toWord(STATUS_WORDS, status)),
      ...said('checkId', checkId),
      ...said('output', output),
      ...(Object.keys(changed).length === 0 ? {} : { metadata: changed }),
    }),
  );
}

export function readIntent(wire: SetIntentRequest): IntentPatch {
  const { enabled, weightChange, weight, maintenanceChange, maintenance } = wire;
  return toIntentPatch(
    requireValid(intentCodec, {
      ...(enabled === undefined ? {} : { enabled }),
      ...(weightChange === undefined ? {} : { weight: weightChange === 'weight' ? weight : null }),
      ...(maintenanceChange === undefined
        ? {}
        : { maintenance: maintenanceChange === 'maintenance' ? maintenance : null }),
    }),
  );
}

function toDocument(wire: WireRegistration): object {
  return {
    service: wire.service,
    address: wire.address,
    port: wire.port,
    ...said('id', wire.id),
    ...said('namespace', wire.namespace),
    ...said('group', wire.group),
    tags: wire.tags,
    metadata: wire.metadata,
    ...said('weight', wire.weight),
    ...said('status', toWord(STATUS_WORDS, wire.status)),
    ...said('lease', toLease(wire)),
    ...(wire.checks.length === 0 ? {} : { checks: wire.checks.map(toCheckDocument) }),
    preflight: wire.preflight,
    // False is absent in proto3: nothing is said, as over HTTP.
    ...(wire.exclusive ? { exclusive: true } : {}),
  };
}

function toLease({ lease, leaseProfile, leaseTimes }: WireRegistration): unknown {
  if (lease === 'leaseTimes' && leaseTimes) {
    return {
      ttl: toDuration(leaseTimes.ttlMs),
      ...said('heartbeat', toDuration(leaseTimes.heartbeatMs)),
    };
  }
  return toWord(LEASE_WORDS, leaseProfile);
}

function toCheckDocument(wire: WireCheck): object {
  return {
    ...said('id', wire.id),
    ...toProbe(wire),
    ...said('interval', toDuration(wire.intervalMs)),
    ...said('timeout', toDuration(wire.timeoutMs)),
    ...said('rise', wire.rise),
    ...said('fall', wire.fall),
    ...said('deregisterAfter', toDuration(wire.deregisterAfterMs)),
  };
}

function toProbe(wire: WireCheck): object {
  switch (wire.probe) {
    case 'http': {
      const { url, method, headers, expectStatus, bodyContains, skipTlsVerify } = wire.http ?? {};
      return {
        http: url,
        ...said('method', method),
        headers,
        ...(expectStatus?.length ? { expectStatus } : {}),
        ...said('bodyContains', bodyContains),
        tlsSkipVerify: skipTlsVerify,
      };
    }
    case 'tcp':
      return { tcp: wire.tcp };
    case 'grpc':
      return { grpc: wire.grpc?.target, tls: wire.grpc?.tls };
    case 'ttlMs':
      return { ttl: toDuration(wire.ttlMs) };
    default:
      return {};
  }
}

/** In proto3 the empty text is the absent one. */
function said(key: string, value: unknown): object {
  return value === undefined || value === '' ? {} : { [key]: value };
}

function toDuration(ms: number | undefined): string | undefined {
  return ms === undefined ? undefined : `${ms}ms`;
}

/** An unknown number of an enumeration is handed on, so that the validation names it. */
function toWord(
  words: Readonly<Record<string, string | undefined>>,
  value: string | number | undefined,
): string | number | undefined {
  return typeof value === 'string' ? words[value] : value;
}
