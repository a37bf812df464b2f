import type { Clock } from '@portolan/core';
import { wait } from '../time/backoff.ts';
import { holdProcess } from '../time/system-clock.ts';

const SIGNALS: readonly NodeJS.Signals[] = ['SIGTERM', 'SIGINT'];

export interface SignalOptions {
  readonly deregister: () => Promise<void>;
  readonly drainMs: number;
  readonly clock: Clock;
  readonly onDrained: (signal: NodeJS.Signals) => void;
}

/**
 * At the first SIGTERM or SIGINT: deregisters and waits while gateways move on; the process keeps serving. Then, when nobody
 * else listens for the signal, raises it again so that it ends the process; an application with listeners of its own
 * has been called already and ends by itself. A second signal does not wait. Returns the function that stops listening.
 */
export function deregisterOnSignals(options: SignalOptions): () => void {
  let cut: AbortController | undefined;

  async function leave(signal: NodeJS.Signals): Promise<void> {
    const release = holdProcess();
    await options.deregister();
    if (cut) await wait(options.drainMs, options.clock, cut.signal);
    stop();
    options.onDrained(signal);
    release();
    if (process.listenerCount(signal) === 0) process.kill(process.pid, signal);
  }

  function listen(signal: NodeJS.Signals): void {
    if (cut) {
      cut.abort();
      return;
    }
    cut = new AbortController();
    void leave(signal);
  }

  function stop(): void {
    for (const signal of SIGNALS) process.off(signal, listen);
  }

  for (const signal of SIGNALS) process.on(signal, listen);
  return () => {
    // `deregister` itself calls this: keep listening until drained, or the second signal would kill at once.
    if (!cut) stop();
  };
}
