import { setImmediate as nextTurn } from 'node:timers/promises';

/**
 * Long work in pieces takes turns: the returned function resolves once a turn of the event loop, for one waiter after the other. So
 * however many long answers are made at the same time, everybody else waits for one piece at most.
 */
export function createLoopTurns(): () => Promise<void> {
  let last: Promise<void> = Promise.resolve();
  return () => {
    last = last.then(() => nextTurn());
    return last;
  };
}
