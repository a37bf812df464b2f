import type { Balancer, Endpoint, PickContext } from '../ports/balancer.ts';

/** One endpoint's place on the virtual time line: its next turn is due at `(turns + phase) / weight`. */
interface Slot {
  endpoint: Endpoint;
  weight: number;
  readonly order: number;
  /** Turns taken since the line's origin. */
  turns: number;
  /** In (0, 1]. Exactly 1 for an endpoint that was never moved, so shares are exact in integers. */
  phase: number;
}

/** Rounds after which the origin moves forward, so that products of turns and weights stay exact integers. */
const REBASE_ROUNDS = 1 << 20;
const MIN_PHASE = 1e-9;

/**
 * Weighted round robin by earliest deadline first, as Envoy's scheduler: over any `sum of weights` picks each endpoint
 * is chosen exactly `weight` times, interleaved. An update keeps every survivor's place in the sequence.
 */
export function createWeightedRoundRobin(): Balancer {
  let heap: Slot[] = [];
  let nowRounds = 0;

  function update(endpoints: readonly Endpoint[]): void {
    const known = new Map<string, Slot>();
    for (const slot of heap) known.set(keyOf(slot.endpoint), slot);
    const next: Slot[] = [];
    for (const [order, endpoint] of endpoints.entries()) {
      const weight = Math.max(1, endpoint.weight);
      const old = known.get(keyOf(endpoint));
      // What is left of its waiting time, as a share of its own interval; the new interval is waited in proportion.
      const left = old ? snapped(old.turns + old.phase - nowRounds * old.weight) : 1;
      const turns = Math.max(0, Math.ceil(left) - 1);
      next.push({ endpoint, weight, order, turns, phase: Math.max(MIN_PHASE, left - turns) });
    }
    heap = next;
    nowRounds = 0;
    for (let at = (heap.length >> 1) - 1; at >= 0; at--) siftDown(at);
  }

  function pick(context: PickContext): Endpoint | undefined {
    const first = heap[0];
    if (!first) return undefined;
    const { tried } = context;
    const at = tried.length > 0 && tried.includes(first.endpoint) ? earliestUntried(tried) : 0;
    const slot = heap[at] as Slot;
    if (at === 0) nowRounds = (slot.turns + slot.phase) / slot.weight;
    slot.turns++;
    siftDown(at);
    if (nowRounds > REBASE_ROUNDS) rebase();
    return slot.endpoint;
  }

  function earliestUntried(tried: readonly Endpoint[]): number {
    let best = -1;
    for (let at = 0; at < heap.length; at++) {
      const slot = heap[at] as Slot;
      if (tried.includes(slot.endpoint)) continue;
      if (best < 0 || isDueBefore(slot, heap[best] as Slot)) best = at;
    }
    return Math.max(0, best);
  }

  function rebase(): void {
    const first = heap[0] as Slot;
    const rounds = Math.floor(first.turns / first.weight);
    for (const slot of heap) slot.turns -= rounds * slot.weight;
    nowRounds -= rounds;
  }

  function siftDown(start: number): void {
    const slot = heap[start] as Slot;
    const half = heap.length >> 1;
    let at = start;
    while (at < half) {
      let child = 2 * at + 1;
      const right = heap[child + 1];
      if (right && isDueBefore(right, heap[child] as Slot)) child++;
      const candidate = heap[child] as Slot;
      if (!isDueBefore(candidate, slot)) break;
      heap[at] = candidate;
      at = child;
    }
    heap[at] = slot;
  }

  return { update, pick };
}

/** A whole number that division missed by a hair counts as one: rounded up it would cost a turn. */
function snapped(value: number): number {
  const whole = Math.round(value);
  return Math.abs(value - whole) < MIN_PHASE ? whole : value;
}

/** Deadlines are compared crosswise, never divided: equal ones stay equal, and list order decides between them. */
function isDueBefore(a: Slot, b: Slot): boolean {
  const left = (a.turns + a.phase) * b.weight;
  const right = (b.turns + b.phase) * a.weight;
  return left < right || (left === right && a.order < b.order);
}

function keyOf(endpoint: Endpoint): string {
  return `${endpoint.id} ${endpoint.address} ${endpoint.port}`;
}
