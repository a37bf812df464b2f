import type { ServiceKey, ServiceSummary } from '@portolan/core';

/** Services by namespace, name and group, so that a list reads the same after a restart. */
export function inServiceOrder(services: readonly ServiceSummary[]): ServiceSummary[] {
  return [...services].sort((a, b) => compareServices(a.service, b.service));
}

function compareServices(a: ServiceKey, b: ServiceKey): number {
  return (
    compareText(a.namespace, b.namespace) ||
    compareText(a.name, b.name) ||
    compareText(a.group, b.group)
  );
}

function compareText(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
