import type { EventLog, Logger, RegistryEvent, Revision } from '@portolan/core';

/** The newest events, in a ring. */
export class EventWindow implements EventLog {
  readonly #size: number;
  readonly #logger: Logger;
  readonly #ring: RegistryEvent[] = [];
  /** Where the oldest event stands once the ring is full. */
  #start = 0;
  #horizon: Revision = 0;
  readonly #listeners = new Set<(events: readonly RegistryEvent[]) => void>();

  constructor(size: number, logger: Logger) {
    this.#size = Math.max(1, size);
    this.#logger = logger;
  }

  get horizon(): Revision {
    return this.#horizon;
  }

  /** Nothing before this revision can be told. */
  startAt(revision: Revision): void {
    this.#ring.length = 0;
    this.#start = 0;
    this.#horizon = revision;
  }

  append(events: readonly RegistryEvent[]): void {
    if (events.length === 0) return;
    for (const event of events) {
      if (this.#ring.length < this.#size) this.#ring.push(event);
      else {
        // All events of a dropped event's revision count as dropped: a reader resumes between revisions only.
        this.#horizon = this.#at(0)?.revision ?? this.#horizon;
        this.#ring[this.#start] = event;
        this.#start = (this.#start + 1) % this.#size;
      }
    }
    for (const listener of this.#listeners) {
      try {
        listener(events);
      } catch (error) {
        this.#logger.error({ err: error }, 'an event listener threw');
      }
    }
  }

  since(from: Revision): readonly RegistryEvent[] | undefined {
    if (from < this.#horizon) return undefined;
    let low = 0;
    let high = this.#ring.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#at(middle)?.revision ?? 0) <= from) low = middle + 1;
      else high = middle;
    }
    const events: RegistryEvent[] = [];
    for (let at = low; at < this.#ring.length; at++) {
      const event = this.#at(at);
      if (event) events.push(event);
    }
    return events;
  }

  subscribe(listener: (events: readonly RegistryEvent[]) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  #at(index: number): RegistryEvent | undefined {
    return this.#ring[(this.#start + index) % this.#size];
  }
}
