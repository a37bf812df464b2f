/**
 * What a request is to a control port that has too much to do: reads are refused first, then writes, then heartbeats;
 * `essential` is how the process itself is observed, and never refused.
 */
export type RequestClass = 'essential' | 'heartbeat' | 'write' | 'read';

/** Decides what may come in while there is too much to do. */
export interface Admission {
  /** Counts a request in, or throws CONTROL_OVERLOADED. Each that was counted in is followed by one `leave` of the same class. */
  enter(kind: RequestClass): void;
  /** Bytes of a request that are held until its answer is there. */
  hold(bytes: number): void;
  /** Gives back the place, and the bytes that were held. */
  leave(kind: RequestClass, heldBytes?: number): void;
}

/** Admits everything. */
export const NO_ADMISSION: Admission = {
  enter: () => undefined,
  hold: () => undefined,
  leave: () => undefined,
};
