/** How a text is compared. `regex` matches the whole text (RE2 syntax, linear time). */
export type TextMatch =
  | { readonly exact: string }
  | { readonly prefix: string }
  | { readonly regex: string };

/** As `TextMatch`, or only whether the field is there. */
export type FieldMatch = TextMatch | { readonly present: boolean };

/**
 * How a canonical path is compared. `prefix` ends at a segment (`/api` takes `/api/x` and not `/apix`); `startsWith` does not
 * (Istio's `prefix`). `regex` matches the whole path.
 */
export type PathMatch =
  | { readonly exact: string }
  | { readonly prefix: string }
  | { readonly startsWith: string }
  | { readonly regex: string };
