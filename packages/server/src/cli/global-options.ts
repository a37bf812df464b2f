/** Options that every command understands, before or after its name. */
export interface GlobalOptions {
  readonly registry: string;
  readonly namespace: string;
  readonly output: 'table' | 'json' | 'wide' | 'name';
  readonly color: boolean;
}
