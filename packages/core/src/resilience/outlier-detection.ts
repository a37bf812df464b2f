export interface OutlierOptions {
  /** Failed answers or lost connections in a row that eject; a refused connection ejects at the first. */
  readonly consecutiveFailures: number;
  /** Answers of 5xx in a row, failed ones among them, that eject; 0: any other than 502, 503 and 504 is the service's own affair. */
  readonly consecutive5xx: number;
  /** How often the endpoints' shares of good answers are compared. */
  readonly intervalMs: number;
  /** Standard deviations below the mean share from which on an endpoint is ejected; 0: shares are not compared. */
  readonly successRateDeviations: number;
  /** Answers an endpoint needs in an interval to be compared. */
  readonly successRateRequests: number;
  /** Endpoints that have so many: with fewer nothing is compared. */
  readonly successRateEndpoints: number;
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
  consecutive5xx: 0,
  intervalMs: 10_000,
  successRateDeviations: 0,
  successRateRequests: 100,
  successRateEndpoints: 5,
  baseEjectionMs: 30_000,
  connectEjectionMs: 1_000,
  maxRefusedEjectionMs: 2_000,
  maxEjectionMs: 300_000,
  maxEjectedShare: 0.5,
};

/** What happened at an endpoint. */
export type OutlierSignal =
  | 'success'
  /** A 5xx that is none of the failed answers. */
  | 'server-error'
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
  consecutive5xx: number;
  /** Answers in this interval, and the good ones of them. */
  answers: number;
  goodAnswers: number;
  /** Recent ejections; falls by one for each base time spent in rotation. */
  ejections: number;
  /** In rotation again from this time on; 0 when never ejected. */
  ejectedUntilMs: number;
  ejected: boolean;
}

/** The record of an endpoint of which nothing is known. */
export function newOutlierState(): OutlierState {
  return {
    consecutiveFailures: 0,
    consecutive5xx: 0,
    answers: 0,
    goodAnswers: 0,
    ejections: 0,
    ejectedUntilMs: 0,
    ejected: false,
  };
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
  state.answers++;
  if (signal === 'success') {
    state.goodAnswers++;
    state.consecutiveFailures = 0;
    state.consecutive5xx = 0;
    return false;
  }
  if (signal === 'server-error') state.consecutiveFailures = 0;
  else state.consecutiveFailures++;
  if (signal === 'server-error' || signal === 'failure') state.consecutive5xx++;
  if (state.ejected) return false;
  const refused = signal === 'connect-failure' || signal === 'connect-timeout';
  if (!refused && !(isEnough(state, options) && mayEject(others, options))) return false;
  eject(state, signal, nowMs, options);
  return true;
}

function isEnough(state: OutlierState, options: OutlierOptions): boolean {
  return (
    state.consecutiveFailures >= options.consecutiveFailures ||
    (options.consecutive5xx > 0 && state.consecutive5xx >= options.consecutive5xx)
  );
}

function mayEject(
  others: { readonly total: number; readonly ejected: number },
  options: OutlierOptions,
): boolean {
  return others.ejected < Math.max(1, Math.floor(others.total * options.maxEjectedShare));
}

function eject(
  state: OutlierState,
  signal: OutlierSignal,
  nowMs: number,
  options: OutlierOptions,
): void {
  const answered = signal === 'failure' || signal === 'server-error';
  const baseMs = answered ? options.baseEjectionMs : options.connectEjectionMs;
  const forgiven = Math.floor(Math.max(0, nowMs - state.ejectedUntilMs) / baseMs);
  state.ejections = Math.max(0, state.ejections - forgiven) + 1;
  const maxMs =
    signal === 'connect-failure'
      ? Math.min(options.maxEjectionMs, options.maxRefusedEjectionMs)
      : options.maxEjectionMs;
  state.ejectedUntilMs = nowMs + Math.min(maxMs, baseMs * state.ejections);
  state.ejected = true;
}

/**
 * Compares the endpoints' shares of good answers in the interval that ends now, begins the next one, and says which endpoints it
 * ejected: those further below the mean than the allowed number of standard deviations, as Envoy does, the worst first.
 */
export function ejectBySuccessRate(
  states: readonly OutlierState[],
  nowMs: number,
  others: { readonly total: number; readonly ejected: number },
  options: OutlierOptions,
): readonly OutlierState[] {
  const compared = states
    .filter((state) => !state.ejected && state.answers >= options.successRateRequests)
    .map((state) => ({ state, share: state.goodAnswers / Math.max(1, state.answers) }));
  for (const state of states) {
    state.answers = 0;
    state.goodAnswers = 0;
  }
  if (compared.length < options.successRateEndpoints) return [];
  const mean = compared.reduce((sum, { share }) => sum + share, 0) / compared.length;
  const variance =
    compared.reduce((sum, { share }) => sum + (share - mean) ** 2, 0) / compared.length;
  const least = mean - options.successRateDeviations * Math.sqrt(variance);
  const ejected: OutlierState[] = [];
  for (const { state, share } of compared.toSorted((one, other) => one.share - other.share)) {
    const out = { total: others.total, ejected: others.ejected + ejected.length };
    if (share >= least || !mayEject(out, options)) break;
    eject(state, 'failure', nowMs, options);
    ejected.push(state);
  }
  return ejected;
}

/** Takes the endpoint back when its time is over, and says whether it did. */
export function tryReadmit(state: OutlierState, nowMs: number): boolean {
  if (!state.ejected || nowMs < state.ejectedUntilMs) return false;
  state.ejected = false;
  state.consecutiveFailures = 0;
  state.consecutive5xx = 0;
  return true;
}
