import type { Route } from '../model/route.ts';
import type { RegistrationInput } from './registry.ts';

/** An instance that a provider found. Its id is the provider's business: the same thing has the same id after a restart. */
export interface ProvidedInstance extends RegistrationInput {
  readonly id: string;
}

/** Everything a provider sees at one moment. */
export interface ProviderSnapshot {
  readonly instances: readonly ProvidedInstance[];
  readonly routes: readonly Route[];
}

/**
 * Finds instances and routes. Publishes its full state each time; one aggregator diffs, throttles and merges. It publishes
 * nothing while it does not know: what is not in a snapshot is gone. `run` ends only when `signal` aborts; a fault outside
 * (a daemon that is away) is waited out inside.
 */
export interface Provider {
  readonly name: string;
  run(publish: (snapshot: ProviderSnapshot) => void, signal: AbortSignal): Promise<void>;
}
