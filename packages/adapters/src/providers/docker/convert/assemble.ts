import {
  type ProvidedInstance,
  type ProviderSnapshot,
  type Route,
  serviceId,
} from '@portolan/core';
import type { SwarmFacts } from '../facts.ts';
import { type ConvertContext, convertContainer } from './convert-container.ts';
import { convertSwarm } from './convert-swarm.ts';
import type { ContainerReport, Converted, RoutePart } from './report.ts';

export interface Assembly {
  readonly snapshot: ProviderSnapshot;
  readonly reports: readonly ContainerReport[];
}

/** Everything an engine's facts come to. */
export function assemble(context: ConvertContext, swarm: SwarmFacts | undefined): Assembly {
  const converted: Converted[] = [...context.containers.values()].map((container) =>
    convertContainer(container, context),
  );
  if (swarm) converted.push(...convertSwarm(swarm, context));
  const taken = new Map<string, string>();
  const instances: ProvidedInstance[] = [];
  const reports: ContainerReport[] = [];
  for (const { report, instances: own } of converted.sort(byName)) {
    const clashes: string[] = [];
    for (const instance of own) {
      const key = `${instance.service.namespace}/${instance.id}`;
      const holder = taken.get(key);
      if (holder !== undefined && holder !== report.name) {
        clashes.push(`${holder} has the instance id ${instance.id} already`);
      } else if (holder === undefined) {
        taken.set(key, report.name);
        instances.push(instance);
      }
    }
    reports.push(
      clashes.length === 0
        ? report
        : { ...report, standing: 'unroutable', reason: clashes.join('; ') },
    );
  }
  const routes = joinRoutes(
    converted.flatMap((one) => one.routes),
    converted.flatMap((one) => one.canaries),
  );
  return { snapshot: { instances, routes }, reports };
}

/** One route for all the containers that ask for it, and shares for those that carry a canary's label. */
function joinRoutes(parts: readonly RoutePart[], asked: Converted['canaries']): readonly Route[] {
  const canaries = new Map<string, number>();
  for (const { service, percent } of asked) {
    const id = serviceId(service);
    canaries.set(id, Math.max(percent, canaries.get(id) ?? 0));
  }
  const routes = new Map<string, Route>();
  for (const { route, service } of parts) {
    const key = `${route.namespace}/${route.name}`;
    if (routes.has(key)) continue;
    const percent = canaries.get(serviceId(service));
    const to = (weight: number, subset: Readonly<Record<string, string>>) => ({
      service: service.name,
      namespace: service.namespace,
      group: service.group,
      subset,
      weight,
    });
    const destinations =
      percent === undefined
        ? [to(1, {})]
        : [to(100 - percent, { canary: 'false' }), to(percent, { canary: 'true' })];
    routes.set(key, { ...route, destinations });
  }
  return [...routes.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
}

function byName(a: Converted, b: Converted): number {
  return a.report.name < b.report.name ? -1 : a.report.name > b.report.name ? 1 : 0;
}
