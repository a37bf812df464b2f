/** What the operator wants of an instance. Stored apart from the lease: survives reconnects. */
export interface Intent {
  readonly enabled: boolean;
  /** Overrides the registered weight. */
  readonly weight?: number;
  readonly maintenance?: { readonly reason: string };
}

export const DEFAULT_INTENT: Intent = { enabled: true };

/** A change of intent: absent keeps, null clears. */
export interface IntentPatch {
  readonly enabled?: boolean;
  readonly weight?: number | null;
  readonly maintenance?: { readonly reason: string } | null;
}
