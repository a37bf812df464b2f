import { backoffMs } from '@portolan/core';
import { pause } from './connection-scope.ts';
import { EngineConnection } from './engine-connection.ts';
import { EngineState } from './engine-state.ts';
import { RestartLoops } from './restart-loops.ts';
import type { WatchDeps, WatchOptions } from './watch-options.ts';

/** Follows one engine until the signal aborts. What is known stays known while the engine is away. */
export async function watchEngine(
  options: WatchOptions,
  deps: WatchDeps,
  signal: AbortSignal,
): Promise<void> {
  const { clock, random, logger, metrics } = deps;
  const state = new EngineState(new RestartLoops(options.restartLoop, clock));
  let since: string | undefined;
  let said = '';
  for (let attempt = 0; !signal.aborted; ) {
    const watch = new EngineConnection(options, deps, state, since);
    let reason = '';
    try {
      await watch.run(signal);
    } catch (error) {
      reason = describe(error);
    }
    if (signal.aborted) break;
    since = watch.lastEvent ?? since;
    if (watch.synced) attempt = 0;
    metrics.lost(clock.now());
    if (!watch.again) deps.onAway(reason);
    const delayMs = watch.again ? 0 : 50 + backoffMs(attempt++, options.reconnect, random);
    if (!watch.again && reason !== said) {
      logger.warn(
        { reason, known: state.containers.size },
        'the Docker Engine is away: what it last said stays in force',
      );
    }
    said = watch.synced ? '' : reason;
    await pause(delayMs, clock, signal);
  }
}

function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const code = (error as NodeJS.ErrnoException).code;
  return code === undefined || error.message.includes(code)
    ? error.message || error.name
    : `${error.message} (${code})`;
}
