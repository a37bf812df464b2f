import type { Clock, Instance, Registry } from '@portolan/core';
import { AMAZON_LABEL_PREFIX, EUREKA_LABELS, toFlatMetadata } from '../labels/dialect-labels.ts';
import { eurekaIdOf, toAppName } from './app-name.ts';
import type { EurekaInstance } from './instance-info.ts';
import { effectiveStatus, overrideOf } from './status.ts';
import {
  DEFAULT_COUNTRY,
  DEFAULT_DATA_CENTER,
  DEFAULT_DURATION_SECS,
  DEFAULT_RENEWAL_SECS,
  DEFAULT_SECURE_PORT,
  homePageOf,
  readPortsNote,
} from './to-registration.ts';

const DEFAULT_WEIGHT = 100;

export interface LeaseSource {
  readonly registry: Registry;
  readonly clock: Clock;
}

/** Any instance as Eureka's clients see it, whoever registered it. */
export function toEurekaInstance(instance: Instance, source: LeaseSource): EurekaInstance {
  const { metadata: said, address, service, registeredAtMs } = instance;
  const hostName = said[EUREKA_LABELS.hostName] ?? address;
  const ports = readPortsNote(said[EUREKA_LABELS.ports]) ?? {
    port: { number: instance.port, enabled: true },
    securePort: DEFAULT_SECURE_PORT,
  };
  const secure = !ports.port.enabled && ports.securePort.enabled;
  const vipAddress = said[EUREKA_LABELS.vipAddress] ?? service.name;
  const dirty = Number(said[EUREKA_LABELS.lastDirtyTimestamp] ?? Number.NaN);
  const lastDirtyTimestamp = Number.isSafeInteger(dirty) ? dirty : registeredAtMs;
  const optional = {
    statusPageUrl: said[EUREKA_LABELS.statusPageUrl],
    healthCheckUrl: said[EUREKA_LABELS.healthCheckUrl] ?? checkUrlOf(instance),
    secureHealthCheckUrl: said[EUREKA_LABELS.secureHealthCheckUrl],
    appGroupName: said[EUREKA_LABELS.appGroupName],
    asgName: said[EUREKA_LABELS.asgName],
    sid: said[EUREKA_LABELS.sid],
  };
  return {
    instanceId: eurekaIdOf(instance),
    hostName,
    app: toAppName(service),
    ipAddr: address,
    status: effectiveStatus(instance),
    overriddenStatus: overrideOf(instance),
    ...ports,
    countryId: Number(said[EUREKA_LABELS.countryId] ?? DEFAULT_COUNTRY),
    dataCenterInfo: dataCenterOf(instance),
    leaseInfo: leaseInfoOf(instance, source),
    metadata: metadataOf(instance),
    homePageUrl: said[EUREKA_LABELS.homePageUrl] ?? homePageOf(hostName, instance.port, secure),
    vipAddress,
    secureVipAddress: said[EUREKA_LABELS.secureVipAddress] ?? vipAddress,
    lastUpdatedTimestamp: Math.max(registeredAtMs, lastDirtyTimestamp),
    lastDirtyTimestamp,
    ...present(optional),
  };
}

function dataCenterOf({ metadata: said }: Instance): EurekaInstance['dataCenterInfo'] {
  const name = said[EUREKA_LABELS.dataCenter] ?? DEFAULT_DATA_CENTER;
  if (name !== 'Amazon') return { name };
  const metadata: Record<string, string> = Object.create(null);
  for (const [key, value] of Object.entries(said)) {
    if (key.startsWith(AMAZON_LABEL_PREFIX)) {
      metadata[key.slice(AMAZON_LABEL_PREFIX.length)] = value;
    }
  }
  return { name, metadata };
}

function leaseInfoOf(
  instance: Instance,
  { registry, clock }: LeaseSource,
): EurekaInstance['leaseInfo'] {
  const { registeredAtMs, service, id } = instance;
  const lease = registry.lease({ namespace: service.namespace, id });
  const spec = lease?.spec ?? instance.lease;
  const renewedAgoMs = lease ? lease.spec.ttlMs - lease.remainingMs : Number.NaN;
  return {
    renewalIntervalInSecs: spec ? seconds(spec.heartbeatMs) : DEFAULT_RENEWAL_SECS,
    durationInSecs: spec ? seconds(spec.ttlMs) : DEFAULT_DURATION_SECS,
    registrationTimestamp: registeredAtMs,
    lastRenewalTimestamp: Number.isFinite(renewedAgoMs)
      ? Math.round(clock.wallNow() - renewedAgoMs)
      : registeredAtMs,
    evictionTimestamp: 0,
    serviceUpTimestamp: registeredAtMs,
  };
}

/** Eureka has no weight: one that matters travels as metadata. */
function metadataOf(instance: Instance): Record<string, string> {
  const metadata = toFlatMetadata(instance);
  const { effectiveWeight } = instance;
  if (effectiveWeight !== DEFAULT_WEIGHT || metadata.weight !== undefined) {
    // A label that is no weight of ours stays what its owner wrote.
    if (metadata.weight === undefined || /^\d{1,5}$/.test(metadata.weight)) {
      metadata.weight = String(effectiveWeight);
    }
  }
  return metadata;
}

function checkUrlOf({ checks }: Instance): string | undefined {
  for (const { probe } of checks) if (probe.kind === 'http') return probe.url;
  return undefined;
}

function seconds(ms: number): number {
  return Math.max(1, Math.round(ms / 1_000));
}

function present<T extends object>(value: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(value).filter(([, each]) => each !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>;
  };
}
