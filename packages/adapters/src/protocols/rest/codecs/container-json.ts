import type { ContainerBoard } from '../../../providers/docker/container-board.ts';
import type { ContainerReport } from '../../../providers/docker/convert/report.ts';
import type { DockerView } from '../../../providers/docker/docker-provider.ts';

/** The engine and all its containers as the API answers them. */
export function toContainersJson(board: ContainerBoard) {
  const view = board.view();
  const refusals = board.refusals();
  return {
    ...toEngineJson(view),
    containers: view.containers.map((report) => toReportJson(report, refusals)),
  };
}

/** One container, or a Swarm service with its tasks. */
export function toContainerJson(board: ContainerBoard, reports: readonly ContainerReport[]) {
  const refusals = board.refusals();
  return {
    ...toEngineJson(board.view()),
    containers: reports.map((report) => toReportJson(report, refusals)),
  };
}

function toEngineJson({ engine, apiVersion, connected, problem, place }: DockerView) {
  return {
    engine,
    apiVersion,
    connected,
    problem: problem ?? null,
    gateway: place
      ? { on: place.kind, why: place.why, hostAddresses: [...place.hostAddresses] }
      : null,
  };
}

function toReportJson(report: ContainerReport, refusals: ReadonlyMap<string, string>) {
  const refusalOf = (name: string, isRoute: boolean): string[] =>
    [...refusals].flatMap(([what, reason]) =>
      name !== '' && what.endsWith(`/${name}`) && what.startsWith('route ') === isRoute
        ? [reason]
        : [],
    );
  const refused = report.services.flatMap(({ instanceId }) => refusalOf(instanceId, false));
  const notTaken =
    report.standing === 'registered' &&
    refused.length > 0 &&
    refused.length === report.services.filter(({ choice }) => choice.chosen).length;
  return {
    kind: report.kind,
    id: report.id,
    name: report.name,
    image: report.image,
    state: report.state,
    standing: notTaken ? ('unroutable' as const) : report.standing,
    reason: notTaken ? refused.join('; ') : report.reason,
    exposedBy: report.exposedBy,
    services: report.services.map(({ service, instanceId, portRule, choice }) => ({
      service,
      instance: instanceId,
      address: choice.chosen?.address ?? null,
      port: choice.chosen?.port ?? null,
      rule: choice.chosen?.rule ?? null,
      portRule,
      reason: choice.reason ?? '',
      passedOver: choice.passedOver,
    })),
    routes: report.routes,
    notes: [
      ...report.notes,
      ...(notTaken ? [] : refused),
      ...report.routes.flatMap((name) => refusalOf(name, true)),
    ],
  };
}
