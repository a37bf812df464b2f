import type { ContainerDocument, ContainersDocument } from '@portolan/client';
import { toAuthority } from './instance-columns.ts';
import { toPrintable } from './printable.ts';

/** An explanation of containers for people, in the order in which it was decided. */
export function containersText(told: ContainersDocument): string {
  const away = told.connected
    ? ''
    : `, which does not answer (${told.problem ?? ''}): this is what it last said`;
  const lines = [
    `engine ${told.engine} (API ${told.apiVersion})${away}`,
    ...(told.gateway ? [`gateway on ${told.gateway.on}: ${told.gateway.why}`] : []),
    ...told.containers.flatMap(containerLines),
  ];
  return lines.map((line) => `${toPrintable(line)}\n`).join('');
}

function containerLines(container: ContainerDocument): string[] {
  const { kind, name, id, state, standing, reason, exposedBy } = container;
  return [
    '',
    `${kind} ${name} (${id.slice(0, 12)}), ${state}`,
    `  ${standing}${reason === '' ? '' : `: ${reason}`}`,
    `  exposed by: ${exposedBy}`,
    ...container.services.flatMap(serviceLines),
    ...container.routes.map((route) => `  route ${route}`),
    ...container.notes.map((note) => `  note: ${note}`),
  ];
}

function serviceLines(service: ContainerDocument['services'][number]): string[] {
  const { address, port, rule, portRule, reason, passedOver } = service;
  const head =
    address === null || port === null
      ? `  service ${service.service}: no address: ${reason}`
      : `  service ${service.service}: ${toAuthority(address, port)}, instance ${service.instance}`;
  return [
    head,
    `    port: ${portRule}`,
    ...(rule === null ? [] : [`    address: ${rule}`]),
    ...passedOver.map((other) => `    passed over: ${other.candidate}: ${other.reason}`),
  ];
}
