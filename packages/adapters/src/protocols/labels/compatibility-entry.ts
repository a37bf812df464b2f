/** One thing that a dialect and the registry say differently. */
export interface CompatibilityEntry {
  readonly feature: string;
  /** Whether it comes through whole, changed in a way worth knowing, or not at all. */
  readonly outcome: 'same' | 'mapped' | 'lost';
  /** How it maps, or what is lost, in a sentence. */
  readonly how: string;
}
