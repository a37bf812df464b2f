import { type Instance, type IntentPatch, isRoutableStatus, type Status } from '@portolan/core';
import { EUREKA_LABELS } from '../labels/dialect-labels.ts';
import { EUREKA_STATUSES, type EurekaStatus } from './instance-info.ts';

const TO_STATUS: Readonly<Record<EurekaStatus, Status>> = {
  UP: 'passing',
  DOWN: 'critical',
  STARTING: 'unknown',
  OUT_OF_SERVICE: 'critical',
  UNKNOWN: 'unknown',
};
const FROM_STATUS: Readonly<Record<Status, EurekaStatus>> = {
  passing: 'UP',
  warning: 'UP',
  critical: 'DOWN',
  unknown: 'STARTING',
};
/** How an override is written down as the reason of a maintenance. */
const REASON = /^Eureka status override: ([A-Z_]+)$/;

export function toStatus(status: EurekaStatus): Status {
  return TO_STATUS[status];
}

/** The word to keep beside a status because the status alone would be told by another one. */
export function statusNote(status: EurekaStatus): string | undefined {
  return FROM_STATUS[TO_STATUS[status]] === status ? undefined : status;
}

/** What the instance is by its own word and its health, without what an operator wants of it. */
export function ownStatus(instance: Instance): EurekaStatus {
  if (isRoutableStatus(instance.status) || instance.protected) return 'UP';
  const note = instance.metadata[EUREKA_LABELS.status];
  const noted = EUREKA_STATUSES.find((word) => word === note);
  if (noted !== undefined && TO_STATUS[noted] === instance.status) return noted;
  return FROM_STATUS[instance.status];
}

/** Kept from traffic for another reason than its health. */
function isWithheld({ intent, exclusive }: Instance): boolean {
  return !intent.enabled || intent.maintenance !== undefined || exclusive?.role === 'standby';
}

/** The operator's word: an override set by Eureka, or any other reason why it is out of service. UNKNOWN: none. */
export function overrideOf(instance: Instance): EurekaStatus {
  const { intent } = instance;
  const word = REASON.exec(intent.maintenance?.reason ?? '')?.[1];
  const known = EUREKA_STATUSES.find((status) => status === word);
  if (known !== undefined) return known;
  return isWithheld(instance) ? 'OUT_OF_SERVICE' : 'UNKNOWN';
}

/**
 * Eureka's order of rules: what is neither UP nor OUT_OF_SERVICE is believed (`DownOrStartingRule`), then an override counts
 * (`OverrideExistsRule`), then what the instance said.
 */
export function effectiveStatus(instance: Instance): EurekaStatus {
  const own = ownStatus(instance);
  if (own !== 'UP' && own !== 'OUT_OF_SERVICE') return own;
  return isWithheld(instance) ? forced(overrideOf(instance)) : own;
}

/**
 * What a client's own word comes to when it registers again: while a lease says UP or OUT_OF_SERVICE, neither of the two
 * replaces it (`LeaseExistsRule`); only an override does.
 */
export function registeredStatus(sent: EurekaStatus, present: Instance | undefined): EurekaStatus {
  if (!present || (sent !== 'UP' && sent !== 'OUT_OF_SERVICE')) return sent;
  const own = ownStatus(present);
  return own === 'UP' || own === 'OUT_OF_SERVICE' ? own : sent;
}

/** The intent that an override stands for; UP takes back whatever kept the instance out. */
export function overrideIntent(status: EurekaStatus): IntentPatch {
  if (status === 'UP') return NO_OVERRIDE;
  return { maintenance: { reason: `Eureka status override: ${status}` } };
}

export const NO_OVERRIDE: IntentPatch = { enabled: true, maintenance: null };

/** Never UP: the gateway sends it nothing. */
function forced(override: EurekaStatus): EurekaStatus {
  return override === 'UP' ? 'OUT_OF_SERVICE' : override;
}
