/** An instance as the gateway sees it. Identity is stable while address and port are. */
export interface Endpoint {
  readonly id: string;
  readonly address: string;
  readonly port: number;
  /** 1 or more. */
  readonly weight: number;
  /** Requests now under way through this gateway; kept by the gateway, read by balancers. */
  active: number;
}

export interface PickContext {
  /** For hash balancers; 0 when unused. */
  readonly hash: number;
  /** Not to be chosen again while another is left: endpoints that failed this exchange. */
  readonly tried: readonly Endpoint[];
}

export type AttemptOutcome = 'success' | 'failure';

/** Arithmetic on a list: `pick` is synchronous, allocates nothing, never throws; health is filtered out beforehand. */
export interface Balancer {
  update(endpoints: readonly Endpoint[]): void;
  pick(context: PickContext): Endpoint | undefined;
  settle?(endpoint: Endpoint, outcome: AttemptOutcome, latencyMs: number): void;
}
