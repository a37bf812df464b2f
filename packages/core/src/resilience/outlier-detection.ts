export interface OutlierOptions {
  /** Failed answers or lost connections in a row that eject; a refused connection ejects at the first. */
  readonly consecutiveFailures: number;
  /** Time out of rotation is this times the number of recent ejections. */
  readonly baseEjectionMs: number;
  /** The same after a failed connect: short, since finding out again costs one refused connection and no request. */
  readonly connectEjectionMs: number;
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
  maxEjectionMs: 300_000,
  maxEjectedShare: 0.5,
};

/** What happened at an endpoint: an answer, a failed answer (502, 503, 504, time-out, lost connection), no connection. */
export type OutlierSignal = 'success' | 'failure' | 'connect-failure';

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
  if (signal === 'failure') {
    if (state.consecutiveFailures < options.consecutiveFailures) return false;
    const allowed = Math.max(1, Math.floor(others.total * options.maxEjectedShare));
    if (others.ejected >= allowed) return false;
  }
  const baseMs = signal === 'failure' ? options.baseEjectionMs : options.connectEjectionMs;
  const forgiven = Math.floor(Math.max(0, nowMs - state.ejectedUntilMs) / baseMs);
  state.ejections = Math.max(0, state.ejections - forgiven) + 1;
  state.ejectedUntilMs = nowMs + Math.min(options.maxEjectionMs, baseMs * state.ejections);
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
