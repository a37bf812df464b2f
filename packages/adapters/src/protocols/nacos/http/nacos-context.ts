import type { Clock, HttpRoute, Registry } from '@portolan/core';
import type { ClientDirectory } from '../client-directory.ts';
import type { DeclaredServices } from '../declared-services.ts';
import type { NacosLifecycle } from '../nacos-lifecycle.ts';
import { type NacosService, toNacosService } from '../nacos-names.ts';
import type { NacosUsers } from '../nacos-users.ts';
import type { UdpPush } from '../push/udp-push.ts';
import { type ServiceInfo, toServiceInfo } from '../service-info.ts';
import type { ApiVersion, NacosAnswer, NacosCall } from './nacos-call.ts';

/** What every handler works with. */
export interface NacosContext {
  readonly registry: Registry;
  readonly clock: Clock;
  /** What Nacos' `public` stands for. */
  readonly namespace: string;
  readonly lifecycle: NacosLifecycle;
  readonly services: DeclaredServices;
  readonly udp: UdpPush;
  readonly clients: ClientDirectory;
  /** Absent: everybody may. */
  readonly users: NacosUsers | undefined;
}

/** One call, in the versions of the API that have it. */
export interface NacosOperation {
  readonly method: HttpRoute['method'];
  /** Below `/nacos/v1/ns` and the like. */
  readonly path: string;
  /** Default v1 and v2. */
  readonly versions?: readonly ApiVersion[];
  readonly admission?: HttpRoute['admission'];
  handle(call: NacosCall): NacosAnswer | Promise<NacosAnswer>;
}

export function serviceOf(context: NacosContext, { parameters }: NacosCall): NacosService {
  return toNacosService(
    {
      serviceName: parameters.required('serviceName'),
      groupName: parameters.get('groupName'),
      namespaceId: parameters.get('namespaceId'),
    },
    context.namespace,
  );
}

export function serviceInfoOf(
  context: Pick<NacosContext, 'registry' | 'clock' | 'services'>,
  service: NacosService,
  filter: { readonly clusters: string; readonly healthyOnly: boolean },
): ServiceInfo {
  const { registry, clock, services } = context;
  const protectThreshold = services.get(service.key)?.protectThreshold ?? 0;
  return toServiceInfo(registry, service, { ...filter, protectThreshold }, clock.wallNow());
}
