import { setImmediate as nextTurn } from 'node:timers/promises';
import { createRestAdapter } from '@portolan/adapters';
import type { HttpProtocolAdapter, Logger } from '@portolan/core';
import type { LocalRegistry } from '@portolan/registry';
import type { TurnableClock } from '@portolan/testing';
import { type ControlCaller, createControlCaller } from '../test-control/control-caller.ts';
import { createTurnedRegistry } from '../test-control/turned-registry.ts';

/** One dialect beside the native API over the real registry, without sockets, in a time that is turned. */
export interface DialectApi extends ControlCaller {
  readonly registry: LocalRegistry;
  readonly clock: TurnableClock;
  readonly adapter: HttpProtocolAdapter;
  /** What was logged as a fault of ours: has to stay empty. */
  readonly faults: readonly object[];
  close(): Promise<void>;
}

export interface DialectParts {
  readonly registry: LocalRegistry;
  readonly clock: TurnableClock;
  readonly logger: Logger;
  readonly random: () => number;
  /** Aborts when the test is over. */
  readonly signal: AbortSignal;
}

export async function createDialectApi(
  create: (parts: DialectParts) => HttpProtocolAdapter,
): Promise<DialectApi> {
  const base = await createTurnedRegistry();
  const { registry, clock, logger, random } = base;
  const ending = new AbortController();
  const { signal } = ending;
  const adapter = create({ registry, clock, logger, random, signal });
  const rest = createRestAdapter(
    { version: '0.0.0-test' },
    { registry, clock, logger, status: () => ({}) },
  );

  return {
    ...createControlCaller({ adapters: [adapter, rest], clock, logger, signal }),
    registry,
    clock,
    adapter,
    faults: base.faults,
    async close() {
      ending.abort();
      await base.close();
    },
  };
}

/** Lets whoever gives others a turn have the next one, until the work is done. */
export async function inTurns<T>(
  { clock }: Pick<DialectApi, 'clock'>,
  work: Promise<T>,
): Promise<T> {
  let done = false;
  const end = (): void => {
    done = true;
  };
  work.then(end, end);
  while (!done) {
    await clock.advance(0);
    // Compression is work of another thread.
    await nextTurn();
  }
  return work;
}
