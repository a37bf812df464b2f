import type { Clock } from '@portolan/core';
import { SlotWheel } from './slot-wheel.ts';

/** Something that can stand in one place of one wheel; extend it. */
export class WheelNode {
  /** Owned by the wheel; undefined while it is not scheduled. */
  wheelSlot: number | undefined = undefined;

  get scheduled(): boolean {
    return this.wheelSlot !== undefined;
  }
}

export interface TimerWheelOptions<N extends WheelNode> {
  readonly tickMs: number;
  /** Called once a turn of the clock with everything that fell due, earliest first. */
  readonly onDue: (nodes: readonly N[]) => void;
}

/** A wheel of objects, with a slot for each that is scheduled. */
export class TimerWheel<N extends WheelNode> {
  readonly #wheel: SlotWheel;
  readonly #nodes: (N | undefined)[] = [];
  readonly #free: number[] = [];

  constructor({ tickMs, onDue }: TimerWheelOptions<N>, clock: Clock) {
    this.#wheel = new SlotWheel(
      { tickMs, onDue: (slots) => onDue(slots.map((slot) => this.#take(slot))) },
      clock,
    );
  }

  get size(): number {
    return this.#wheel.size;
  }

  /** (Re)schedules the node for `dueMs` of the clock's monotonic time. */
  schedule(node: N, dueMs: number): void {
    let slot = node.wheelSlot;
    if (slot === undefined) {
      slot = this.#free.pop() ?? this.#nodes.length;
      this.#nodes[slot] = node;
      node.wheelSlot = slot;
    }
    this.#wheel.schedule(slot, dueMs);
  }

  cancel(node: N): void {
    if (node.wheelSlot === undefined) return;
    this.#wheel.cancel(node.wheelSlot);
    this.#take(node.wheelSlot);
  }

  close(): void {
    this.#wheel.close();
  }

  /** Gives the slot back. */
  #take(slot: number): N {
    const node = this.#nodes[slot];
    if (!node) throw new Error(`nothing stands in slot ${slot}`);
    this.#nodes[slot] = undefined;
    this.#free.push(slot);
    node.wheelSlot = undefined;
    return node;
  }
}
