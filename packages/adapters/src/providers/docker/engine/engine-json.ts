import { z } from 'zod';
import type {
  ContainerFacts,
  ContainerState,
  ContainerSummary,
  EngineEvent,
  EngineFacts,
  ExposedPort,
  NetworkFacts,
  NodeFacts,
  ServiceFacts,
  TaskFacts,
} from '../facts.ts';

// Engines leave members out or say null where there is nothing; everything else has to be as documented.
const text = z.string().nullish();
const texts = z.record(z.string(), z.string()).nullish();
const flag = z.boolean().nullish();
const whole = z.number().nullish();

const version = z.object({
  ApiVersion: z.string(),
  MinAPIVersion: text,
  Version: text,
  Components: z.array(z.object({ Name: text })).nullish(),
});
const info = z.object({
  OperatingSystem: text,
  SecurityOptions: z.array(z.string()).nullish(),
  Swarm: z.object({ ControlAvailable: flag, NodeID: text, LocalNodeState: text }).nullish(),
});

const attachment = z.object({
  NetworkID: text,
  IPAddress: text,
  GlobalIPv6Address: text,
  Gateway: text,
});
const bindings = z.array(z.object({ HostIp: text, HostPort: text })).nullish();
const container = z.object({
  Id: z.string(),
  Name: z.string(),
  State: z.object({
    Status: text,
    Running: flag,
    Paused: flag,
    StartedAt: text,
    Health: z.object({ Status: text }).nullish(),
  }),
  HostConfig: z.object({ NetworkMode: text }).nullish(),
  Config: z.object({
    Image: text,
    Labels: texts,
    Env: z.array(z.string()).nullish(),
    ExposedPorts: z.record(z.string(), z.unknown()).nullish(),
    StopSignal: text,
  }),
  NetworkSettings: z
    .object({
      Networks: z.record(z.string(), attachment.nullish()).nullish(),
      Ports: z.record(z.string(), bindings).nullish(),
    })
    .nullish(),
});

const summary = z.object({
  Id: z.string(),
  Names: z.array(z.string()).nullish(),
  State: text,
  Status: text,
  Ports: z.array(z.unknown()).nullish(),
  NetworkSettings: z
    .object({ Networks: z.record(z.string(), attachment.nullish()).nullish() })
    .nullish(),
});

const network = z.object({
  Id: z.string(),
  Name: z.string(),
  Driver: text,
  Scope: text,
  Ingress: flag,
  IPAM: z.object({ Config: z.array(z.object({ Gateway: text })).nullish() }).nullish(),
  Containers: z.record(z.string(), z.object({ IPv4Address: text })).nullish(),
});

const service = z.object({
  ID: z.string(),
  Spec: z.object({
    Name: z.string(),
    Labels: texts,
    TaskTemplate: z.object({ ContainerSpec: z.object({ Image: text }).nullish() }).nullish(),
    EndpointSpec: z.object({ Mode: text }).nullish(),
  }),
  Endpoint: z
    .object({
      Ports: z
        .array(
          z.object({ TargetPort: whole, PublishedPort: whole, Protocol: text, PublishMode: text }),
        )
        .nullish(),
      VirtualIPs: z.array(z.object({ NetworkID: text, Addr: text })).nullish(),
    })
    .nullish(),
  UpdateStatus: z.object({ State: text }).nullish(),
});

const task = z.object({
  ID: z.string(),
  ServiceID: text,
  NodeID: text,
  Slot: whole,
  DesiredState: text,
  Status: z
    .object({
      State: text,
      ContainerStatus: z.object({ ContainerID: text }).nullish(),
      PortStatus: z
        .object({
          Ports: z
            .array(
              z.object({
                TargetPort: whole,
                PublishedPort: whole,
                Protocol: text,
                PublishMode: text,
              }),
            )
            .nullish(),
        })
        .nullish(),
    })
    .nullish(),
  NetworksAttachments: z
    .array(
      z.object({
        Network: z.object({ ID: text, Spec: z.object({ Name: text }).nullish() }).nullish(),
        Addresses: z.array(z.string()).nullish(),
      }),
    )
    .nullish(),
});

const node = z.object({
  ID: z.string(),
  Spec: z.object({ Availability: text }).nullish(),
  Description: z.object({ Hostname: text }).nullish(),
  Status: z.object({ State: text, Addr: text }).nullish(),
});

const event = z.object({
  Type: z.string(),
  Action: text,
  // Until API 1.52 there were also `status` and `id`; they are not looked at.
  Actor: z.object({ ID: text, Attributes: texts }).nullish(),
  time: whole,
  timeNano: z.union([z.number(), z.string()]).nullish(),
});

/** Of Podman, from the signal to the end. */
const STOPPING = 'stopping';

const STATES: ReadonlySet<string> = new Set([
  'created',
  'running',
  'paused',
  'restarting',
  'removing',
  'exited',
  'dead',
]);

/** The versions that an engine speaks. Throws for what is no engine. */
export function parseVersion(json: unknown): {
  highest: string;
  lowest: string;
  version: string;
  silentStops: boolean;
} {
  const read = version.parse(json);
  return {
    highest: read.ApiVersion,
    lowest: read.MinAPIVersion ?? read.ApiVersion,
    version: read.Version ?? '',
    silentStops: (read.Components ?? []).some(({ Name }) => Name === 'Podman Engine'),
  };
}

/** The rest of what is to be known of an engine. */
export function parseInfo(json: unknown): Pick<EngineFacts, 'hidden' | 'swarm'> {
  const read = info.parse(json);
  const hidden =
    read.OperatingSystem === 'Docker Desktop' ||
    (read.SecurityOptions ?? []).some((option) => option.includes('name=rootless'));
  const { ControlAvailable, NodeID } = read.Swarm ?? {};
  return { hidden, ...(ControlAvailable ? { swarm: { nodeId: NodeID ?? '' } } : {}) };
}

/** An inspected container. */
export function parseContainer(json: unknown): ContainerFacts {
  const read = container.parse(json);
  const { Config, HostConfig, NetworkSettings, State } = read;
  const state = State.Status ?? (State.Paused ? 'paused' : State.Running ? 'running' : 'exited');
  const health = State.Health?.Status;
  const started = Date.parse(State.StartedAt ?? '');
  const stopSignal = Config.StopSignal;
  return {
    id: read.Id,
    name: read.Name.replace(/^\//, ''),
    image: Config.Image ?? '',
    labels: Config.Labels ?? {},
    environment: toEnvironment(Config.Env ?? []),
    state: toState(state),
    ...(state === STOPPING ? { stopping: true } : {}),
    ...(health === 'starting' || health === 'healthy' || health === 'unhealthy' ? { health } : {}),
    startedAtMs: Number.isFinite(started) && started > 0 ? started : 0,
    ...(stopSignal ? { stopSignal } : {}),
    networkMode: toNetworkMode(HostConfig?.NetworkMode ?? 'default'),
    attachments: toAttachments(NetworkSettings?.Networks ?? {}),
    ports: toPorts(Config.ExposedPorts ?? {}, NetworkSettings?.Ports ?? {}),
  };
}

/** The list of containers. */
export function parseSummaries(json: unknown): ContainerSummary[] {
  return z
    .array(summary)
    .parse(json)
    .map((read) => {
      const attachments = toAttachments(read.NetworkSettings?.Networks ?? {});
      // "Up 3 minutes (healthy)": the words in brackets matter, the time does not.
      const health = /\((.*?)\)$/.exec(read.Status ?? '')?.[1] ?? '';
      const parts = [read.Names, read.State, health, attachments, sortedPorts(read.Ports ?? [])];
      return {
        id: read.Id,
        running: read.State === 'running' || read.State === 'paused' || read.State === STOPPING,
        ...(read.State === STOPPING ? { stopping: true } : {}),
        fingerprint: JSON.stringify(parts),
      };
    });
}

export function parseNetworks(json: unknown): NetworkFacts[] {
  return z.array(z.unknown()).parse(json).map(parseNetwork);
}

/** A network; an inspected one tells its endpoints too. */
export function parseNetwork(json: unknown): NetworkFacts {
  const read = network.parse(json);
  const endpoints: Record<string, string> = {};
  for (const [id, { IPv4Address }] of Object.entries(read.Containers ?? {})) {
    if (IPv4Address) endpoints[id] = withoutPrefix(IPv4Address);
  }
  return {
    id: read.Id,
    name: read.Name,
    driver: read.Driver ?? '',
    scope: read.Scope ?? '',
    ingress: read.Ingress ?? false,
    gateways: (read.IPAM?.Config ?? []).flatMap(({ Gateway }) => (Gateway ? [Gateway] : [])),
    ...(Object.keys(endpoints).length === 0 ? {} : { endpoints }),
  };
}

export function parseServices(json: unknown): ServiceFacts[] {
  return z
    .array(service)
    .parse(json)
    .map(({ ID, Spec, Endpoint, UpdateStatus }) => ({
      id: ID,
      name: Spec.Name,
      labels: Spec.Labels ?? {},
      image: Spec.TaskTemplate?.ContainerSpec?.Image ?? '',
      endpointMode: Spec.EndpointSpec?.Mode ?? 'vip',
      virtualIps: (Endpoint?.VirtualIPs ?? []).flatMap(({ NetworkID, Addr }) =>
        NetworkID && Addr ? [{ networkId: NetworkID, address: withoutPrefix(Addr) }] : [],
      ),
      ports: (Endpoint?.Ports ?? []).map((port) => ({
        port: port.TargetPort ?? 0,
        published: port.PublishedPort ?? 0,
        protocol: port.Protocol ?? 'tcp',
        mode: port.PublishMode ?? 'ingress',
      })),
      updating: /^(?:updating|rollback_started)$/.test(UpdateStatus?.State ?? ''),
    }));
}

export function parseTasks(json: unknown): TaskFacts[] {
  return z
    .array(task)
    .parse(json)
    .map((read) => ({
      id: read.ID,
      serviceId: read.ServiceID ?? '',
      nodeId: read.NodeID ?? '',
      slot: read.Slot ?? 0,
      state: read.Status?.State ?? 'unknown',
      desiredState: read.DesiredState ?? 'unknown',
      containerId: read.Status?.ContainerStatus?.ContainerID ?? '',
      addresses: (read.NetworksAttachments ?? []).flatMap(({ Network, Addresses }) =>
        (Addresses ?? []).slice(0, 1).map((address) => ({
          networkId: Network?.ID ?? '',
          networkName: Network?.Spec?.Name ?? '',
          address: withoutPrefix(address),
        })),
      ),
      hostPorts: (read.Status?.PortStatus?.Ports ?? [])
        .filter((port) => port.PublishMode === 'host')
        .map((port) => ({
          port: port.TargetPort ?? 0,
          published: port.PublishedPort ?? 0,
          protocol: port.Protocol ?? 'tcp',
        })),
    }));
}

export function parseNodes(json: unknown): NodeFacts[] {
  return z
    .array(node)
    .parse(json)
    .map((read) => ({
      id: read.ID,
      hostName: read.Description?.Hostname ?? '',
      address: read.Status?.Addr ?? '',
      availability: read.Spec?.Availability ?? 'active',
      state: read.Status?.State ?? 'unknown',
    }));
}

/** Undefined for a line that is no event. */
export function parseEvent(line: string): EngineEvent | undefined {
  let json: unknown;
  try {
    json = JSON.parse(line);
  } catch {
    return undefined;
  }
  const read = event.safeParse(json);
  if (!read.success) return undefined;
  const { Type, Action, Actor, time } = read.data;
  // A number of nanoseconds lost its last digits when it was parsed: they are read from the line.
  const timeNano = /"timeNano":\s*"?(\d+)/.exec(line)?.[1] ?? `${(time ?? 0) * 1_000_000_000}`;
  return {
    type: Type,
    action: Action ?? '',
    actorId: Actor?.ID ?? '',
    attributes: Actor?.Attributes ?? {},
    timeNano,
    atMs: Number(timeNano.slice(0, -6)) || (time ?? 0) * 1_000,
  };
}

function toState(state: string): ContainerState {
  if (state === STOPPING) return 'running';
  return STATES.has(state) ? (state as ContainerState) : 'unknown';
}

/** `default` is what a container gets that asks for nothing. */
function toNetworkMode(mode: string): string {
  return mode === 'default' ? 'bridge' : mode;
}

function toEnvironment(list: readonly string[]): Readonly<Record<string, string>> {
  const environment: Record<string, string> = Object.create(null);
  for (const entry of list) {
    const at = entry.indexOf('=');
    if (at > 0) environment[entry.slice(0, at)] = entry.slice(at + 1);
  }
  return environment;
}

function toAttachments(
  networks: Readonly<Record<string, z.output<typeof attachment> | null | undefined>>,
): ContainerFacts['attachments'] {
  return Object.entries(networks)
    .map(([name, read]) => ({
      name,
      id: read?.NetworkID ?? '',
      ...(read?.IPAddress ? { ipv4: read.IPAddress } : {}),
      ...(read?.GlobalIPv6Address ? { ipv6: read.GlobalIPv6Address } : {}),
      ...(read?.Gateway ? { gateway: read.Gateway } : {}),
    }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

function toPorts(
  exposed: Readonly<Record<string, unknown>>,
  published: Readonly<Record<string, z.output<typeof bindings>>>,
): readonly ExposedPort[] {
  const ports: ExposedPort[] = [];
  for (const key of new Set([...Object.keys(exposed), ...Object.keys(published)])) {
    const match = /^(\d{1,5})(?:\/([a-z]+))?$/.exec(key);
    if (!match) continue;
    ports.push({
      port: Number(match[1]),
      protocol: match[2] ?? 'tcp',
      bindings: (published[key] ?? []).flatMap(({ HostIp, HostPort }) =>
        HostPort ? [{ hostIp: HostIp ?? '', hostPort: Number(HostPort) }] : [],
      ),
    });
  }
  return ports.sort((a, b) => a.port - b.port || (a.protocol < b.protocol ? -1 : 1));
}

function sortedPorts(ports: readonly unknown[]): readonly string[] {
  return ports.map((port) => JSON.stringify(port)).sort();
}

/** `10.0.1.5/24` is an address in its network. */
function withoutPrefix(address: string): string {
  return address.replace(/\/\d+$/, '');
}
