/** How a dialect says something that the registry knows; a row of docs/reference/compatibility.md. */
export interface CompatibilityEntry {
  readonly feature: string;
  /** In the dialect's words and ours, both directions. */
  readonly mapping: string;
  /** What cannot be said, or comes back otherwise. */
  readonly loss?: string;
}
