import type { Clock, TimerHandle } from '@portolan/core';

const BITS = 8;
const SLOTS = 1 << BITS;
const MASK = SLOTS - 1;
const LEVELS = 4;

/** Something that can stand in one place of one wheel; extend it. */
export class WheelNode {
  /** Tick at which it fires; owned by the wheel. */
  wheelTick = 0;
  wheelPrev: WheelNode | undefined = undefined;
  wheelNext: WheelNode | undefined = undefined;

  get scheduled(): boolean {
    return this.wheelNext !== undefined;
  }
}

export interface TimerWheelOptions<N extends WheelNode> {
  readonly tickMs: number;
  /** Called once a turn of the clock with everything that fell due, earliest first. */
  readonly onDue: (nodes: readonly N[]) => void;
}

/**
 * Hierarchical timer wheel: scheduling and cancelling are O(1) and allocate nothing, and however many nodes there are
 * it keeps a single timer of the clock. A node never fires early; late by at most one tick.
 */
export class TimerWheel<N extends WheelNode> {
  readonly #clock: Clock;
  readonly #tickMs: number;
  readonly #onDue: (nodes: readonly N[]) => void;
  readonly #startMs: number;
  readonly #levels: WheelNode[][] = [];
  #tick = 0;
  #count = 0;
  #timer: TimerHandle | undefined;
  #armedTick = Number.POSITIVE_INFINITY;
  #closed = false;

  constructor(options: TimerWheelOptions<N>, clock: Clock) {
    this.#clock = clock;
    this.#tickMs = options.tickMs;
    this.#onDue = options.onDue;
    this.#startMs = clock.now();
    for (let level = 0; level < LEVELS; level++) {
      const slots: WheelNode[] = [];
      for (let slot = 0; slot < SLOTS; slot++) slots.push(emptyList());
      this.#levels.push(slots);
    }
  }

  get size(): number {
    return this.#count;
  }

  /** (Re)schedules the node for `dueMs` of the clock's monotonic time. */
  schedule(node: N, dueMs: number): void {
    if (this.#closed) return;
    if (node.wheelNext) this.cancel(node);
    if (this.#count === 0) this.#tick = Math.max(this.#tick, this.#nowTick());
    const wanted = Math.ceil((dueMs - this.#startMs) / this.#tickMs);
    node.wheelTick = Math.max(wanted, this.#tick + 1);
    this.#insert(node);
    this.#count++;
    if (node.wheelTick < this.#armedTick) this.#arm();
  }

  cancel(node: N): void {
    if (!node.wheelNext) return;
    unlink(node);
    this.#count--;
  }

  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #nowTick(): number {
    return Math.floor((this.#clock.now() - this.#startMs) / this.#tickMs);
  }

  #insert(node: WheelNode): void {
    const away = node.wheelTick - this.#tick;
    let level = 0;
    while (level < LEVELS - 1 && away >= 2 ** (BITS * (level + 1))) level++;
    // Beyond the horizon (497 days at 10 ms) it goes around again when its slot is reached.
    const at = Math.min(node.wheelTick, this.#tick + 2 ** (BITS * LEVELS) - 1);
    const slot = Math.floor(at / 2 ** (BITS * level)) & MASK;
    link(this.#slot(level, slot), node);
  }

  #slot(level: number, slot: number): WheelNode {
    const list = this.#levels[level]?.[slot];
    if (!list) throw new Error(`no slot ${slot} at level ${level}`);
    return list;
  }

  #fire(): void {
    this.#timer = undefined;
    this.#armedTick = Number.POSITIVE_INFINITY;
    const due: N[] = [];
    const nowTick = this.#nowTick();
    while (this.#tick < nowTick && this.#count > 0) {
      this.#tick++;
      this.#cascade();
      const list = this.#slot(0, this.#tick & MASK);
      for (let node = list.wheelNext; node && node !== list; node = list.wheelNext) {
        unlink(node);
        this.#count--;
        due.push(node as N);
      }
    }
    if (this.#count === 0) this.#tick = Math.max(this.#tick, nowTick);
    if (due.length > 0) this.#onDue(due);
    this.#arm();
  }

  /** Moves the slots whose time has come one level down, the highest level first. */
  #cascade(): void {
    for (let level = LEVELS - 1; level > 0; level--) {
      const span = 2 ** (BITS * level);
      if (this.#tick % span !== 0) continue;
      const list = this.#slot(level, Math.floor(this.#tick / span) & MASK);
      const nodes: WheelNode[] = [];
      for (let node = list.wheelNext; node && node !== list; node = list.wheelNext) {
        unlink(node);
        nodes.push(node);
      }
      for (const node of nodes) this.#insert(node);
    }
  }

  /** One timer: for the next used slot of this turn of the lowest level, or for the turn's end. */
  #arm(): void {
    if (this.#closed || this.#count === 0) return;
    let tick = this.#tick + 1;
    while ((tick & MASK) !== 0) {
      const list = this.#slot(0, tick & MASK);
      if (list.wheelNext !== list) break;
      tick++;
    }
    if (this.#timer && tick >= this.#armedTick) return;
    this.#timer?.cancel();
    this.#armedTick = tick;
    const delayMs = this.#startMs + tick * this.#tickMs - this.#clock.now();
    this.#timer = this.#clock.setTimer(Math.max(0, delayMs), () => this.#fire());
  }
}

function emptyList(): WheelNode {
  const list = new WheelNode();
  list.wheelPrev = list;
  list.wheelNext = list;
  return list;
}

function link(list: WheelNode, node: WheelNode): void {
  const last = list.wheelPrev ?? list;
  node.wheelPrev = last;
  node.wheelNext = list;
  last.wheelNext = node;
  list.wheelPrev = node;
}

function unlink(node: WheelNode): void {
  if (node.wheelPrev) node.wheelPrev.wheelNext = node.wheelNext;
  if (node.wheelNext) node.wheelNext.wheelPrev = node.wheelPrev;
  node.wheelPrev = undefined;
  node.wheelNext = undefined;
}
