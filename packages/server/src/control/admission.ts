import {
  type Admission,
  type Clock,
  createLoopLag,
  type Metrics,
  type Random,
  RegistryError,
  type RequestClass,
} from '@portolan/core';

export interface AdmissionOptions {
  /** Writes and heartbeats that wait for their answer. */
  readonly requests: number;
  /** Bytes of their bodies. */
  readonly bytes: number;
  /** Lag of the event loop; 0: it is not looked at. */
  readonly lagMs: number;
}

export interface ControlAdmission extends Admission {
  /** The largest of what there is, as a share of what is allowed. */
  readonly pressure: number;
  /** The first half of `enter`: throws CONTROL_OVERLOADED, and counts nothing. */
  check(kind: RequestClass): void;
  /** The second half: counts in what was checked before and is whole now. */
  begin(kind: RequestClass): void;
  close(): void;
}

export const UNLIMITED: AdmissionOptions = {
  requests: Number.POSITIVE_INFINITY,
  bytes: Number.POSITIVE_INFINITY,
  lagMs: 0,
};

/** From this pressure on some are refused, and all from twice as much. */
const REFUSED_FROM = { read: 1, write: 2, heartbeat: 8 } as const;
const RETRY_AFTER_MS = 1_000;
/** Clients that were refused together are told different times. */
const RETRY_SPREAD = 3;

const WHAT = {
  read: 'Reads are',
  write: 'Reads and writes are',
  heartbeat: 'Everything is',
} as const;

/**
 * Refuses what the control port could not do in time, in the order of what a refusal costs: reads, writes, heartbeats. So the
 * instances that live are heard of whatever else is asked.
 */
export function createAdmission(
  options: AdmissionOptions,
  deps: {
    /** Of the listener, in metrics. */
    readonly name: string;
    readonly clock: Clock;
    readonly random: Random;
    readonly metrics: Metrics;
  },
): ControlAdmission {
  const { requests: maxRequests, bytes: maxBytes, lagMs: maxLagMs } = options;
  const { name, random, metrics } = deps;
  let underWay = 0;
  let heldBytes = 0;
  let seen = 0;
  let seenBefore = 0;
  const lag = createLoopLag(deps.clock, () => {
    const isBusy = underWay > 0 || seen !== seenBefore;
    seenBefore = seen;
    return isBusy;
  });
  const counter = metrics.counter({
    name: 'portolan_control_shed_total',
    help: 'Requests to the control port refused because there was too much to do.',
    labelNames: ['listener', 'class'],
  });
  const shed = {
    read: counter.labels(name, 'read'),
    write: counter.labels(name, 'write'),
    heartbeat: counter.labels(name, 'heartbeat'),
  };
  const gauge = metrics.gauge({
    name: 'portolan_control_pressure',
    help: 'How much there is to do, as a share of control.overload: reads are refused from 1, writes from 2, heartbeats from 8.',
    labelNames: ['listener'],
  });
  metrics.onCollect(() => gauge.labels(name).set(pressure()));

  function pressure(): number {
    const late = maxLagMs > 0 ? lag.ms / maxLagMs : 0;
    return Math.max(late, underWay / maxRequests, heldBytes / maxBytes);
  }

  function check(kind: RequestClass): void {
    if (kind === 'essential') return;
    seen += 1;
    if (maxLagMs > 0) lag.watch();
    const from = REFUSED_FROM[kind];
    const present = pressure();
    if (present <= from || random() * from >= present - from) return;
    shed[kind].inc();
    throw new RegistryError('CONTROL_OVERLOADED', {
      detail: `${WHAT[kind]} refused for now: there is ${present.toFixed(1)} times as much to do as control.overload allows. Nothing of this was done; try again later.`,
      retryAfterMs: RETRY_AFTER_MS * (1 + Math.floor(random() * RETRY_SPREAD)),
    });
  }

  function begin(kind: RequestClass): void {
    if (kind === 'write' || kind === 'heartbeat') underWay += 1;
  }

  return {
    check,
    begin,
    enter(kind) {
      check(kind);
      begin(kind);
    },
    hold(bytes) {
      heldBytes += bytes;
    },
    leave(kind, bytes = 0) {
      if (kind === 'write' || kind === 'heartbeat') underWay -= 1;
      heldBytes -= bytes;
    },
    get pressure() {
      return pressure();
    },
    close: () => lag.close(),
  };
}
