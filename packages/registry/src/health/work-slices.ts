/** Items of work between two turns of the event loop: about a millisecond. */
const SLICE = 1_000;

/** Cuts long work into slices, so that whoever else waits for the event loop does not wait for all of it. */
export class WorkSlices {
  readonly #nextTurn: () => Promise<void>;
  #left = SLICE;

  constructor(nextTurn: () => Promise<void>) {
    this.#nextTurn = nextTurn;
  }

  /** To be awaited when the slice is used up; undefined while it is not. */
  did(items: number): Promise<void> | undefined {
    this.#left -= items;
    if (this.#left > 0) return undefined;
    this.#left = SLICE;
    return this.#nextTurn();
  }
}
