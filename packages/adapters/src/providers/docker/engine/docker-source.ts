import type {
  ContainerFacts,
  ContainerSummary,
  EngineEvent,
  EngineFacts,
  NetworkFacts,
  SwarmFacts,
} from '../facts.ts';

/** Events as they come. */
export interface EventStream {
  /** Resolves once the engine has begun to answer: nothing that happens afterwards is missed. Some say so only with the first event. */
  readonly opened: Promise<void>;
  /** Ends, or throws, when the connection does. */
  readonly events: AsyncIterable<EngineEvent>;
}

/** What the provider asks an engine; each question rejects when it is not answered. */
export interface DockerSource {
  /** Who is there and which version of the API both speak. Comes first, and again after a loss. */
  connect(signal: AbortSignal): Promise<EngineFacts>;
  ping(signal: AbortSignal): Promise<void>;
  /** All of them, also those that do not run. */
  containers(signal: AbortSignal): Promise<readonly ContainerSummary[]>;
  /** Undefined when it is gone. */
  inspect(id: string, signal: AbortSignal): Promise<ContainerFacts | undefined>;
  networks(signal: AbortSignal): Promise<readonly NetworkFacts[]>;
  swarm(signal: AbortSignal): Promise<SwarmFacts>;
  /** From `since` (nanoseconds) on, as far as the engine remembers; absent: from now on. */
  events(since: string | undefined, signal: AbortSignal): EventStream;
  close(): Promise<void>;
}
