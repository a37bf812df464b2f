import { setImmediate } from 'node:timers/promises';

/** Gives the event loop its turn in the middle of much work. */
export function nextTurn(): Promise<void> {
  return setImmediate();
}
