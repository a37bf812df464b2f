import type { InstanceDocument } from '@portolan/client';
import { formatDuration } from '@portolan/core';
import { statusStyle } from './palette.ts';
import type { Column } from './print.ts';

const COLLATOR = new Intl.Collator('en', { numeric: true });

/** How instances are listed. */
export const INSTANCE_COLUMNS: readonly Column<InstanceDocument>[] = [
  { head: 'ID', cell: (instance) => instance.id },
  { head: 'SERVICE', cell: (instance) => instance.service, wide: true },
  { head: 'ADDRESS', cell: (instance) => toAuthority(instance.address, instance.port) },
  {
    head: 'STATUS',
    cell: (instance, palette) => ({
      text: instance.protected ? `${instance.status}*` : instance.status,
      style: statusStyle(palette, instance.status),
    }),
  },
  {
    head: 'TRAFFIC',
    cell: (instance, palette) => ({
      text: toTraffic(instance),
      style: instance.routable ? palette.good : palette.warning,
    }),
  },
  { head: 'WEIGHT', cell: (instance) => String(instance.effectiveWeight) },
  { head: 'VERSION', cell: (instance) => instance.labels.version ?? '' },
  { head: 'ZONE', cell: (instance) => instance.labels.zone ?? '', wide: true },
  {
    head: 'LEASE',
    cell: (instance) => (instance.lease ? formatDuration(instance.lease.ttlMs) : ''),
    wide: true,
  },
  { head: 'TAGS', cell: (instance) => instance.tags.join(','), wide: true, flexible: true },
  { head: 'REASON', cell: whyNoTraffic, flexible: true },
];

/** `address:port`, IPv6 in brackets. */
export function toAuthority(address: string, port: number): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}

/** Whether the gateway sends it requests; of an exclusive service, as which of its instances. */
export function toTraffic({ routable, exclusive }: InstanceDocument): string {
  if (!exclusive) return routable ? 'yes' : 'no';
  return routable || exclusive.role === 'standby' ? exclusive.role : 'no';
}

/** Empty for one that takes traffic. */
export function whyNoTraffic(instance: InstanceDocument): string {
  const { intent, routable, status, statusReason, exclusive } = instance;
  if (routable) return '';
  if (intent.maintenance) return `maintenance: ${intent.maintenance.reason}`;
  if (!intent.enabled) return 'disabled by an operator';
  const isWell = status === 'passing' || status === 'warning';
  if (exclusive?.role !== 'standby' || !isWell) return statusReason;
  return exclusive.active === null ? 'nobody is active' : `${exclusive.active} is active`;
}

/** By service, then by id with numbers as people count them. */
export function inReadingOrder(
  instances: readonly InstanceDocument[],
): readonly InstanceDocument[] {
  return [...instances].sort(
    (a, b) => COLLATOR.compare(a.service, b.service) || COLLATOR.compare(a.id, b.id),
  );
}
