import type { Clock, TimerHandle } from '@portolan/core';

const BITS = 8;
const LISTS = 1 << BITS;
const MASK = LISTS - 1;
const LEVELS = 4;
/** The lists' own nodes come first; those of slots follow. */
const HEADS = LISTS * LEVELS;
const FIRST_SLOTS = 1_024;
/** Next of a node that is in no list. */
const NONE = -1;
/** Most slots handed over at once: more of them that fall due together must not keep the event loop to themselves. */
const MAX_DUE = 2_000;

export interface SlotWheelOptions {
  readonly tickMs: number;
  /**
   * Called with what fell due, earliest first. Of very many with some while `isBehind`, with more at the clock's next turn,
   * and with the last of them, be it none, when it is not behind any more.
   */
  readonly onDue: (slots: readonly number[]) => void;
}

/**
 * Hierarchical timer wheel over small numbers that its owner gives out: scheduling and cancelling are O(1) and allocate nothing,
 * however many there are it keeps a single timer of the clock, and there is nothing in it for the collector to walk. A slot never
 * fires early; late by at most one tick.
 */
export class SlotWheel {
  readonly #clock: Clock;
  readonly #tickMs: number;
  readonly #onDue: (slots: readonly number[]) => void;
  readonly #startMs: number;
  /** Doubly linked rings, one for each list of each level. */
  #next: Int32Array;
  #previous: Int32Array;
  /** At which each slot fires. */
  #ticks: Float64Array;
  #tick = 0;
  #count = 0;
  #timer: TimerHandle | undefined;
  #armedTick = Number.POSITIVE_INFINITY;
  #isBehind = false;
  #closed = false;

  constructor(options: SlotWheelOptions, clock: Clock) {
    this.#clock = clock;
    this.#tickMs = options.tickMs;
    this.#onDue = options.onDue;
    this.#startMs = clock.now();
    this.#next = new Int32Array(HEADS + FIRST_SLOTS).fill(NONE);
    this.#previous = new Int32Array(HEADS + FIRST_SLOTS);
    this.#ticks = new Float64Array(FIRST_SLOTS);
    for (let head = 0; head < HEADS; head++) {
      this.#next[head] = head;
      this.#previous[head] = head;
    }
  }

  get size(): number {
    return this.#count;
  }

  /** Whether slots that fell due were not handed over yet. */
  get isBehind(): boolean {
    return this.#isBehind;
  }

  isScheduled(slot: number): boolean {
    return (this.#next[HEADS + slot] ?? NONE) !== NONE;
  }

  /** (Re)schedules the slot for `dueMs` of the clock's monotonic time. */
  schedule(slot: number, dueMs: number): void {
    if (this.#closed) return;
    if (slot >= this.#ticks.length) this.#grow(slot);
    this.cancel(slot);
    if (this.#count === 0) this.#tick = Math.max(this.#tick, this.#nowTick());
    const wanted = Math.ceil((dueMs - this.#startMs) / this.#tickMs);
    const tick = Math.max(wanted, this.#tick + 1);
    this.#ticks[slot] = tick;
    this.#insert(slot, tick);
    this.#count++;
    if (tick < this.#armedTick) this.#arm();
  }

  cancel(slot: number): void {
    if (!this.isScheduled(slot)) return;
    this.#unlink(HEADS + slot);
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

  #grow(slot: number): void {
    const slots = Math.max(slot + 1, Math.floor(this.#ticks.length * 1.5));
    const next = new Int32Array(HEADS + slots).fill(NONE, this.#next.length);
    next.set(this.#next);
    const previous = new Int32Array(HEADS + slots);
    previous.set(this.#previous);
    const ticks = new Float64Array(slots);
    ticks.set(this.#ticks);
    this.#next = next;
    this.#previous = previous;
    this.#ticks = ticks;
  }

  #insert(slot: number, tick: number): void {
    const away = tick - this.#tick;
    let level = 0;
    while (level < LEVELS - 1 && away >= 2 ** (BITS * (level + 1))) level++;
    // Beyond the horizon (497 days at 10 ms) it goes around again when its list is reached.
    const at = Math.min(tick, this.#tick + 2 ** (BITS * LEVELS) - 1);
    this.#link(headOf(level, Math.floor(at / 2 ** (BITS * level))), HEADS + slot);
  }

  #fire(): void {
    this.#timer = undefined;
    this.#armedTick = Number.POSITIVE_INFINITY;
    const due: number[] = [];
    const nowTick = this.#nowTick();
    const wasBehind = this.#isBehind;
    this.#isBehind = !this.#empty(headOf(0, this.#tick), due, MAX_DUE);
    while (!this.#isBehind && this.#tick < nowTick && this.#count > due.length) {
      this.#tick++;
      this.#cascade();
      this.#isBehind = !this.#empty(headOf(0, this.#tick), due, MAX_DUE);
    }
    this.#count -= due.length;
    if (this.#count === 0) this.#tick = Math.max(this.#tick, nowTick);
    if (due.length > 0 || wasBehind) this.#onDue(due);
    this.#arm();
  }

  /** Moves the lists whose time has come one level down, the highest level first. */
  #cascade(): void {
    for (let level = LEVELS - 1; level > 0; level--) {
      const span = 2 ** (BITS * level);
      if (this.#tick % span !== 0) continue;
      const slots: number[] = [];
      this.#empty(headOf(level, Math.floor(this.#tick / span)), slots, Number.POSITIVE_INFINITY);
      for (const slot of slots) this.#insert(slot, this.#ticks[slot] ?? 0);
    }
  }

  /** One timer: for what is left of this tick, the next used list of this turn of the lowest level, or the turn's end. */
  #arm(): void {
    if (this.#closed || this.#count === 0) return;
    let tick = this.#isBehind ? this.#tick : this.#tick + 1;
    while (!this.#isBehind && (tick & MASK) !== 0) {
      const head = headOf(0, tick);
      if (this.#next[head] !== head) break;
      tick++;
    }
    if (this.#timer && tick >= this.#armedTick) return;
    this.#timer?.cancel();
    this.#armedTick = tick;
    const delayMs = this.#startMs + tick * this.#tickMs - this.#clock.now();
    this.#timer = this.#clock.setTimer(Math.max(0, delayMs), () => this.#fire());
  }

  /** Moves the list's slots until there are `limit`; false when some are left. */
  #empty(head: number, into: number[], limit: number): boolean {
    for (let node = this.#next[head] ?? head; node !== head; node = this.#next[head] ?? head) {
      if (into.length === limit) return false;
      this.#unlink(node);
      into.push(node - HEADS);
    }
    return true;
  }

  #link(head: number, node: number): void {
    const last = this.#previous[head] ?? head;
    this.#previous[node] = last;
    this.#next[node] = head;
    this.#next[last] = node;
    this.#previous[head] = node;
  }

  #unlink(node: number): void {
    const previous = this.#previous[node] ?? node;
    const next = this.#next[node] ?? node;
    this.#next[previous] = next;
    this.#previous[next] = previous;
    this.#next[node] = NONE;
  }
}

function headOf(level: number, turn: number): number {
  return level * LISTS + (turn & MASK);
}
