import type { CheckSpec, CheckState, Instance, Registry, Status } from '@portolan/core';
import { formatGoDuration } from '../go-duration.ts';
import { toServiceName, toShownId } from '../identity.ts';
import { nodeNameOf } from '../reserved-labels.ts';

export type ConsulStatus = 'passing' | 'warning' | 'critical';

/** Ids of checks that a client chose are kept behind this mark; all others are shown with their instance's id. */
export const OWN_CHECK = 'consul:';
const AUTOMATIC_CHECK = 'service:';
const MAINTENANCE = '_service_maintenance:';
const STANDBY = '_service_standby:';

/** A check as Consul's readers see it. */
export interface CheckJson {
  readonly Node: string;
  readonly CheckID: string;
  readonly Name: string;
  readonly Status: ConsulStatus;
  readonly Notes: string;
  readonly Output: string;
  readonly ServiceID: string;
  readonly ServiceName: string;
  readonly ServiceTags: readonly string[];
  readonly Type: string;
  readonly Interval: string;
  readonly Timeout: string;
  readonly ExposedPort: number;
  readonly Definition: Readonly<Record<string, never>>;
  readonly CreateIndex: number;
  readonly ModifyIndex: number;
}

export function toConsulStatus(status: Status): ConsulStatus {
  // Not asked yet is not passing: Consul calls it critical.
  return status === 'unknown' ? 'critical' : status;
}

/** The checks of an instance, then the node's own. */
export function toChecksJson(instance: Instance, registry: Registry): readonly CheckJson[] {
  return [...toServiceChecksJson(instance, registry), toNodeCheck(instance)];
}

/** What tells an instance's health: its checks, what it says of itself without one, and the operator's word. */
export function toServiceChecksJson(instance: Instance, registry: Registry): CheckJson[] {
  const { service, id } = instance;
  const states = new Map(
    instance.checks.length === 0
      ? []
      : registry.checks({ namespace: service.namespace, id }).map((state) => [state.id, state]),
  );
  const checks = instance.checks.map((spec) => toCheck(instance, spec, states.get(spec.id)));
  if (hasReportedStatus(instance)) checks.push(toReportedCheck(instance));
  const maintenance = toMaintenanceCheck(instance);
  if (maintenance) checks.push(maintenance);
  const standby = toStandbyCheck(instance);
  if (standby) checks.push(standby);
  return checks;
}

/** Whether it has a status without having a check: that is told as a ttl check of its own. */
export function hasReportedStatus(instance: Instance): boolean {
  return (
    instance.checks.length === 0 && (instance.lease !== undefined || instance.status !== 'passing')
  );
}

/** Worst of all: maintenance, then critical, warning, passing. */
export function aggregatedStatus(checks: readonly CheckJson[]): 'maintenance' | ConsulStatus {
  if (checks.some(({ CheckID }) => CheckID.startsWith(MAINTENANCE))) return 'maintenance';
  const worst = (['critical', 'warning'] as const).find((status) =>
    checks.some((check) => check.Status === status),
  );
  return worst ?? 'passing';
}

/** The check's id as readers see it: unique on its agent. */
export function toShownCheckId(instance: Instance, checkId: string): string {
  if (checkId.startsWith(OWN_CHECK)) return checkId.slice(OWN_CHECK.length);
  const own = automaticCheckId(toShownId(instance));
  return checkId === own || checkId.startsWith(`${own}:`) ? checkId : `${own}:${checkId}`;
}

/** The id of a service's only check, where it gives none. */
export function automaticCheckId(serviceId: string): string {
  return `${AUTOMATIC_CHECK}${serviceId}`;
}

function toCheck(instance: Instance, spec: CheckSpec, state: CheckState | undefined): CheckJson {
  const isTtl = spec.probe.kind === 'ttl';
  const known = toConsulStatus(state?.status ?? instance.status);
  const isKept = instance.protected && known !== 'passing';
  return {
    ...emptyCheck(instance),
    CheckID: toShownCheckId(instance, spec.id),
    Name: `Service '${toServiceName(instance.service)}' check`,
    Status: isKept ? 'passing' : known,
    Output: isKept ? keptOutput(known) : (state?.output ?? ''),
    Type: spec.probe.kind,
    Interval: isTtl ? '' : formatGoDuration(spec.intervalMs),
    Timeout: isTtl ? '' : formatGoDuration(spec.timeoutMs),
  };
}

function toReportedCheck(instance: Instance): CheckJson {
  const known = toConsulStatus(instance.status);
  const isKept = instance.protected && known !== 'passing';
  return {
    ...emptyCheck(instance),
    CheckID: automaticCheckId(toShownId(instance)),
    Name: `Service '${toServiceName(instance.service)}' check`,
    Status: isKept ? 'passing' : known,
    Output: isKept ? keptOutput(known) : instance.statusReason,
    Type: 'ttl',
  };
}

function keptOutput(status: ConsulStatus): string {
  return `${status}, but kept in rotation: too many instances of the service were lost at once`;
}

function toMaintenanceCheck(instance: Instance): CheckJson | undefined {
  const { enabled, maintenance } = instance.intent;
  if (enabled && !maintenance) return undefined;
  return {
    ...emptyCheck(instance),
    CheckID: `${MAINTENANCE}${toShownId(instance)}`,
    Name: 'Service Maintenance Mode',
    Status: 'critical',
    Notes: maintenance?.reason ?? 'Disabled by the operator.',
    Type: 'maintenance',
  };
}

/** Of an exclusive service one instance is to be called, so that all others must not pass. */
function toStandbyCheck(instance: Instance): CheckJson | undefined {
  const { exclusive } = instance;
  if (exclusive?.role !== 'standby') return undefined;
  return {
    ...emptyCheck(instance),
    CheckID: `${STANDBY}${toShownId(instance)}`,
    Name: 'Service Standby Mode',
    Status: 'critical',
    Notes: `Standby of an exclusive service: ${exclusive.active ?? 'nobody'} is active.`,
    Type: 'standby',
  };
}

/** Consul's members answer for their nodes; here whoever answers is alive, and instances answer for themselves. */
export function toNodeCheck(instance: Instance): CheckJson {
  return {
    ...emptyCheck(instance),
    CheckID: 'serfHealth',
    Name: 'Serf Health Status',
    Output: 'Agent alive and reachable',
    ServiceID: '',
    ServiceName: '',
    ServiceTags: [],
    CreateIndex: instance.createRevision,
    ModifyIndex: instance.createRevision,
  };
}

function emptyCheck(instance: Instance): CheckJson {
  return {
    Node: nodeNameOf(instance),
    CheckID: '',
    Name: '',
    Status: 'passing',
    Notes: '',
    Output: '',
    ServiceID: toShownId(instance),
    ServiceName: toServiceName(instance.service),
    ServiceTags: instance.tags,
    Type: '',
    Interval: '',
    Timeout: '',
    ExposedPort: 0,
    Definition: {},
    CreateIndex: instance.createRevision,
    ModifyIndex: instance.modifyRevision,
  };
}
