/** A subscriber that is called on change. The secret signs the body; it is never read back. */
export interface Webhook {
  readonly id: string;
  /** Absolute http or https URL. */
  readonly url: string;
  readonly secret: string;
  /** Event types wanted; empty: all. */
  readonly events: readonly string[];
  readonly namespace?: string;
  readonly service?: string;
}
