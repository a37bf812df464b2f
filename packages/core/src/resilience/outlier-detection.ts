export interface OutlierOptions {
  /** Failed answers or lost connections in a row that eject; a refused connection ejects at the first. */
  readonly consecutiveFailures: number;
  /** Time out of rotation is this times the number of recent ejections. */
  readonly baseEjectionMs: number;
  /** The same after a failed connect or lost connections: short, since finding out again costs a try but no request. */
  readonly connectEjectionMs: number;
  /** Limit of the time out of rotation after refused connections: a restarted process is found again within it. */
  readonly maxRefusedEjectionMs: number;
  readonly maxEjectionMs: number;
  /**
   * Largest share (0 to 1) of the endpoints out at once for failed answers; one may always be out. Failed connects
   * are not bounded by it: nobody listens there, and when every endpoint is out all are tried again (panic).
   */
  readonly maxEjectedShare: number;
}

/** Envoy's figures, but for connects. */
export const DEFAULT_OUTLIER_OPTIONS: OutlierOptions = {
  consecutiveFailures: 5,
  baseEjectionMs: 30_000,
  connectEjectionMs: 1_000,
  maxRefusedEjectionMs: 2_000,
  maxEjectionMs: 300_000,
  maxEjectedShare: 0.5,
};

/** What happened at an endpoint. */
export type OutlierSignal =
  | 'success'
  /** A failed answer (502, 503, 504) or none in time. */
  | 'failure'
  /** A connection that was there ended before the answer. */
  | 'connection-lost'
  /** A connection was refused. */
  | 'connect-failure'
  /** A connection was neither accepted nor refused in time: finding out again costs a request that time. */
  | 'connect-timeout';

/** One endpoint's record. Plain data, so that it can live inside the endpoint. */
export interface OutlierState {
  consecutiveFailures: number;
  /** Recent ejections; falls by one for each base time spent in rotation. */
  ejections: number;
  /** In rotation again from this time on; 0 when never ejected. */
  ejectedUntilMs: number;
  ejected: boolean;
}

/** The record of an endpoint of which nothing is known. */
export function newOutlierState(): OutlierState {
  return { consecutiveFailures: 0, ejections: 0, ejectedUntilMs: 0, ejected: false };
}

/**
 * Notes a signal and says whether it ejected the endpoint. `others` counts the endpoints of the same upstream:
 * all of them (this one included), and those out of rotation now.
 */
export function noteOutlierSignal(
  state: OutlierState,
  signal: OutlierSignal,
  nowMs: number,
  others: { readonly total: number; readonly ejected: number },
  options: OutlierOptions,
): boolean {
  if (signal === 'success') {
    state.consecutiveFailures = 0;
    return false;
  }
  state.consecutiveFailures++;
  if (state.ejected) return false;
  if (signal === 'failure' || signal === 'connection-lost') {
    if (state.consecutiveFailures < options.consecutiveFailures) return false;
    const allowed = Math.max(1, Math.floor(others.total * options.maxEjectedShare));
    if (others.ejected >= allowed) return false;
  }
  const baseMs = signal === 'failure' ? options.baseEjectionMs : options.connectEjectionMs;
  const forgiven = Math.floor(Math.max(0, nowMs - state.ejectedUntilMs) / baseMs);
  state.ejections = Math.max(0, state.ejections - forgiven) + 1;
  const maxMs =
    signal === 'connect-failure'
      ? Math.min(options.maxEjectionMs, options.maxRefusedEjectionMs)
      : options.maxEjectionMs;
  state.ejectedUntilMs = nowMs + Math.min(maxMs, baseMs * state.ejections);
  state.ejected = true;
  return true;
}

/** Takes the endpoint back when its time is over, and says whether it did. */
export function tryReadmit(state: OutlierState, nowMs: number): boolean {
  if (!state.ejected || nowMs < state.ejectedUntilMs) return false;
  state.ejected = false;
  state.consecutiveFailures = 0;
  return true;
}
