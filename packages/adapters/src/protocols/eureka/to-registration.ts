import type { RegistrationInput, ServiceKey } from '@portolan/core';
import { AMAZON_LABEL_PREFIX, EUREKA_LABELS, withLabels } from '../labels/dialect-labels.ts';
import type { DataCenterInfo, EurekaPort, EurekaRegistration } from './instance-info.ts';
import { statusNote, toStatus } from './status.ts';

export const DEFAULT_DURATION_SECS = 90;
export const DEFAULT_RENEWAL_SECS = 30;
export const DEFAULT_COUNTRY = 1;
export const DEFAULT_DATA_CENTER = 'MyOwn';
export const DEFAULT_SECURE_PORT: EurekaPort = { number: 443, enabled: false };
const DEFAULT_WEIGHT = 100;

/** Where a registration goes. */
export interface Place {
  readonly service: ServiceKey;
  readonly id: string;
  readonly instanceId: string;
}

/** What of a Eureka instance the registry has words for, and the rest as labels: only what is not as it would be anyway. */
export function toRegistrationInput(info: EurekaRegistration, place: Place): RegistrationInput {
  const { service, id, instanceId } = place;
  const address = info.ipAddr ?? '';
  const hostName = info.hostName ?? address;
  const { status } = info;
  const port = info.port ?? { number: 0, enabled: true };
  const securePort = info.securePort ?? DEFAULT_SECURE_PORT;
  const secureOnly = securePort.enabled && !port.enabled;
  const used = secureOnly ? securePort : port;
  const vip = info.vipAddress ?? service.name;
  const note = (value: string | undefined, implied?: string) =>
    value === implied ? undefined : value;
  const metadata = withLabels(info.metadata, {
    [EUREKA_LABELS.instanceId]: note(instanceId, id),
    [EUREKA_LABELS.hostName]: note(hostName, address),
    [EUREKA_LABELS.status]: statusNote(status),
    [EUREKA_LABELS.vipAddress]: note(vip, service.name),
    [EUREKA_LABELS.secureVipAddress]: note(info.secureVipAddress ?? vip, vip),
    [EUREKA_LABELS.ports]: note(
      portsNote(port, securePort),
      portsNote({ number: used.number, enabled: true }, DEFAULT_SECURE_PORT),
    ),
    [EUREKA_LABELS.homePageUrl]: note(
      info.homePageUrl,
      homePageOf(hostName, used.number, secureOnly),
    ),
    [EUREKA_LABELS.statusPageUrl]: info.statusPageUrl,
    [EUREKA_LABELS.healthCheckUrl]: info.healthCheckUrl,
    [EUREKA_LABELS.secureHealthCheckUrl]: info.secureHealthCheckUrl,
    [EUREKA_LABELS.appGroupName]: info.appGroupName,
    [EUREKA_LABELS.asgName]: info.asgName,
    [EUREKA_LABELS.sid]: note(info.sid, 'na'),
    [EUREKA_LABELS.countryId]: note(
      String(info.countryId ?? DEFAULT_COUNTRY),
      String(DEFAULT_COUNTRY),
    ),
    [EUREKA_LABELS.dataCenter]: note(info.dataCenterInfo?.name, DEFAULT_DATA_CENTER),
    [EUREKA_LABELS.lastDirtyTimestamp]: info.lastDirtyTimestamp?.toString(),
    ...amazonLabels(info.dataCenterInfo),
  });
  const zone = info.dataCenterInfo?.metadata?.['availability-zone'];
  return {
    service,
    id,
    address,
    port: used.number,
    tags: zone !== undefined && info.metadata.zone === undefined ? [`zone:${zone}`] : [],
    metadata,
    weight: weightOf(info.metadata.weight),
    lease: toLease(info),
    initialStatus: toStatus(status),
  };
}

export function homePageOf(hostName: string, port: number, secure: boolean): string {
  const host = hostName.includes(':') ? `[${hostName}]` : hostName;
  return `${secure ? 'https' : 'http'}://${host}:${port}/`;
}

/** `8080,on,443,off`: what the two ports are and whether they are used. */
function portsNote(port: EurekaPort, securePort: EurekaPort): string {
  return [port, securePort]
    .map(({ number, enabled }) => `${number},${enabled ? 'on' : 'off'}`)
    .join(',');
}

/** The reverse of `portsNote`. */
export function readPortsNote(
  note: string | undefined,
): { port: EurekaPort; securePort: EurekaPort } | undefined {
  const match = /^(\d{1,5}),(on|off),(\d{1,5}),(on|off)$/.exec(note ?? '');
  if (!match) return undefined;
  return {
    port: { number: Number(match[1]), enabled: match[2] === 'on' },
    securePort: { number: Number(match[3]), enabled: match[4] === 'on' },
  };
}

function amazonLabels(info: DataCenterInfo | undefined): Record<string, string> {
  const labels: Record<string, string> = {};
  for (const [key, value] of Object.entries(info?.metadata ?? {})) {
    labels[`${AMAZON_LABEL_PREFIX}${key}`] = value;
  }
  return labels;
}

/** Eureka has no weight; by convention it travels in the metadata. Anything else under that name is only a label. */
function weightOf(text: string | undefined): number {
  const weight = /^\d{1,5}$/.test(text ?? '') ? Number(text) : DEFAULT_WEIGHT;
  return weight <= 65_535 ? weight : DEFAULT_WEIGHT;
}

function toLease(info: EurekaRegistration): { ttlMs: number; heartbeatMs: number } {
  const duration = info.durationInSecs || DEFAULT_DURATION_SECS;
  const renewal = info.renewalIntervalInSecs || DEFAULT_RENEWAL_SECS;
  // Eureka takes an interval longer than the lease; such a client is late each time, but it is a client.
  const heartbeat = renewal < duration ? renewal : duration / 3;
  return { ttlMs: duration * 1_000, heartbeatMs: Math.floor(heartbeat * 1_000) };
}
