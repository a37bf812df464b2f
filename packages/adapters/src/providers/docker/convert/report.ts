import type { ProvidedInstance, Route, ServiceKey } from '@portolan/core';
import type { AddressChoice } from '../address/choose-address.ts';

/** What became of a container, or of a task of a Swarm service. */
export type ContainerStanding = 'registered' | 'unroutable' | 'ignored' | 'stopped';

/** One service of a container: which address and port, and why. */
export interface ServiceReport {
  readonly service: string;
  readonly instanceId: string;
  readonly portRule: string;
  readonly choice: AddressChoice;
}

/** A container as the provider sees it, for people. */
export interface ContainerReport {
  readonly kind: 'container' | 'task' | 'service';
  readonly id: string;
  readonly name: string;
  readonly image: string;
  readonly state: string;
  readonly standing: ContainerStanding;
  /** Why it is not registered, or what keeps it from requests. */
  readonly reason: string;
  /** Which convention said that it is exposed. */
  readonly exposedBy: string;
  readonly services: readonly ServiceReport[];
  /** Names of its routes. */
  readonly routes: readonly string[];
  readonly notes: readonly string[];
}

/** What one container comes to, before routes of its siblings are joined. */
export interface Converted {
  readonly report: ContainerReport;
  readonly instances: readonly ProvidedInstance[];
  readonly routes: readonly RoutePart[];
  /** Percentage of a service's routes that its canary containers ask for. */
  readonly canaries: readonly { readonly service: ServiceKey; readonly percent: number }[];
}

/** A route as one container asks for it; those of one service are joined by their name. */
export interface RoutePart {
  readonly route: Omit<Route, 'destinations'>;
  readonly service: ServiceKey;
}
