/** What the engine says of itself. */
export interface EngineFacts {
  readonly apiVersion: string;
  readonly version: string;
  /** Neither the engine's own machine nor its networks can be reached from beside it: Docker Desktop, rootless. */
  readonly hidden: boolean;
  /** No event says that a container is told to stop, only that it ended (Podman): the list has to be asked. */
  readonly silentStops?: boolean;
  /** Absent: no manager of a swarm, so only its own containers can be asked for. */
  readonly swarm?: { readonly nodeId: string };
}

export type ContainerState =
  | 'created'
  | 'running'
  | 'paused'
  | 'restarting'
  | 'removing'
  | 'exited'
  | 'dead'
  | 'unknown';

/** A container's place in one network. */
export interface Attachment {
  readonly name: string;
  readonly id: string;
  readonly ipv4?: string;
  readonly ipv6?: string;
  /** The network's own address: the engine's machine, in a bridge network. */
  readonly gateway?: string;
}

export interface ExposedPort {
  readonly port: number;
  readonly protocol: string;
  /** Where the engine's machine listens for it. */
  readonly bindings: readonly { readonly hostIp: string; readonly hostPort: number }[];
}

export interface ContainerFacts {
  readonly id: string;
  readonly name: string;
  readonly image: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly environment: Readonly<Record<string, string>>;
  readonly state: ContainerState;
  /** Runs, and was told to stop, where the engine has a state for that (Podman). */
  readonly stopping?: boolean;
  /** By its HEALTHCHECK; absent without one. */
  readonly health?: 'starting' | 'healthy' | 'unhealthy';
  /** Epoch milliseconds; 0 when it never ran. */
  readonly startedAtMs: number;
  readonly stopSignal?: string;
  /** `bridge`, `host`, `none`, `container:ID`, or a network's name. */
  readonly networkMode: string;
  readonly attachments: readonly Attachment[];
  readonly ports: readonly ExposedPort[];
}

/** A line of the list: what a resync compares before it inspects. */
export interface ContainerSummary {
  readonly id: string;
  /** Equal as long as nothing changed that matters here. */
  readonly fingerprint: string;
  readonly running: boolean;
  readonly stopping?: boolean;
}

export interface NetworkFacts {
  readonly id: string;
  readonly name: string;
  readonly driver: string;
  readonly scope: string;
  readonly ingress: boolean;
  /** The bridge's own addresses on the engine's machine. */
  readonly gateways: readonly string[];
  /** Addresses by container id, where they are told: in the bridge that leads out of overlay networks. */
  readonly endpoints?: Readonly<Record<string, string>>;
}

export interface ServiceFacts {
  readonly id: string;
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly image: string;
  readonly endpointMode: string;
  readonly virtualIps: readonly { readonly networkId: string; readonly address: string }[];
  readonly ports: readonly {
    readonly port: number;
    readonly published: number;
    readonly protocol: string;
    readonly mode: string;
  }[];
  /** Whether an update or a roll-back is under way. */
  readonly updating: boolean;
}

export interface TaskFacts {
  readonly id: string;
  readonly serviceId: string;
  readonly nodeId: string;
  readonly slot: number;
  readonly state: string;
  readonly desiredState: string;
  readonly containerId: string;
  readonly addresses: readonly {
    readonly networkId: string;
    readonly networkName: string;
    readonly address: string;
  }[];
  /** Published in host mode by this very task. */
  readonly hostPorts: readonly {
    readonly port: number;
    readonly published: number;
    readonly protocol: string;
  }[];
}

export interface NodeFacts {
  readonly id: string;
  readonly hostName: string;
  readonly address: string;
  readonly availability: string;
  readonly state: string;
}

export interface SwarmFacts {
  readonly services: readonly ServiceFacts[];
  readonly tasks: readonly TaskFacts[];
  readonly nodes: readonly NodeFacts[];
}

/** One thing that happened, as the engine tells it. */
export interface EngineEvent {
  readonly type: string;
  readonly action: string;
  readonly actorId: string;
  readonly attributes: Readonly<Record<string, string>>;
  /** Nanoseconds since the epoch, as text: they do not fit a number. */
  readonly timeNano: string;
  readonly atMs: number;
}
