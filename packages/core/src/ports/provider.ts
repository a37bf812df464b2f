import type { RegistrationInput } from './registry.ts';

/** Everything a provider sees at one moment. */
export interface ProviderSnapshot {
  readonly registrations: readonly RegistrationInput[];
}

/** Finds instances. Publishes its full state each time; one aggregator diffs, throttles and merges. */
export interface Provider {
  readonly name: string;
  run(publish: (snapshot: ProviderSnapshot) => void, signal: AbortSignal): Promise<void>;
}
