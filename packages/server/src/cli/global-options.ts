/** Where commands look for a registry unless told otherwise. */
export const DEFAULT_REGISTRY_URL = 'http://127.0.0.1:8500';

/** Options that every command understands, before or after its name. */
export interface GlobalOptions {
  readonly registry: string;
  readonly namespace: string;
  readonly output: 'table' | 'json' | 'wide' | 'name';
  readonly color: boolean;
}
