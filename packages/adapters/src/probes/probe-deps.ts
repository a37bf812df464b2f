import type { AddressPolicy, Clock } from '@portolan/core';

/** What every probe that dials needs. */
export interface ProbeDeps {
  /** Asked about the resolved address, right before it is dialled. */
  readonly addressPolicy: AddressPolicy;
  /** Name to IP literal. Called once a check; what it answers is what is dialled, so no second answer can differ. */
  readonly resolve: (host: string) => Promise<string>;
  readonly clock: Clock;
}
