import type { CheckInput, RouteMatch } from '@portolan/core';

/** A route that labels ask for; the service it leads to is the one of its wish. */
export interface RouteWish {
  /** Empty: any. */
  readonly hosts: readonly string[];
  readonly matches: readonly RouteMatch[];
  readonly priority?: number;
  /** Takes the matched prefix away before forwarding. */
  readonly stripPrefix?: string;
  /** Cookie by which a caller stays with stable or canary. */
  readonly stickyCookie?: string;
}

/** How to ask whether it works. The address and, unless named, the port are those that were chosen. */
export interface CheckWish
  extends Pick<CheckInput, 'intervalMs' | 'timeoutMs' | 'rise' | 'fall' | 'deregisterAfterMs'> {
  readonly kind: 'http' | 'https' | 'tcp' | 'grpc' | 'none';
  /** Path of http, service of grpc. */
  readonly path?: string;
  /** Port inside the container. */
  readonly port?: number;
  readonly method?: 'GET' | 'HEAD';
}

/** One instance that labels ask for. What is absent has a default. */
export interface ServiceWish {
  readonly service?: string;
  readonly namespace?: string;
  readonly group?: string;
  readonly id?: string;
  /** Port inside the container. */
  readonly port?: number;
  readonly tags?: readonly string[];
  readonly metadata?: Readonly<Record<string, string>>;
  readonly weight?: number;
  readonly check?: CheckWish;
  readonly routes?: readonly RouteWish[];
  /** Percentage of its service's routes that goes to the containers that carry it. */
  readonly canary?: number;
}

/** Everything the labels of a container or a Swarm service ask for. */
export interface LabelWishes {
  /** `default`: no label says anything. */
  readonly exposed: 'yes' | 'no' | 'default';
  /** Which convention decided, for people. */
  readonly by: string;
  /** Networks in the order to try. */
  readonly networks: readonly string[];
  /** Used as it is. */
  readonly address?: string;
  /** Of a Swarm service: its virtual address instead of its tasks'. */
  readonly virtualIp: boolean;
  /** One each; a port that is absent is found. */
  readonly services: readonly ServiceWish[];
  /** Every exposed port is a service of its own, as Registrator has it. */
  readonly eachPort: boolean;
  /** What cannot be done, so that nothing is. */
  readonly problems: readonly string[];
  /** What is left out. */
  readonly notes: readonly string[];
}
