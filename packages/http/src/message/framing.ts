/** How the end of a body is found. */
export type BodyFraming =
  | { readonly kind: 'none' }
  | { readonly kind: 'length'; readonly length: number }
  | { readonly kind: 'chunked' }
  | { readonly kind: 'until-close' };

export const NO_BODY: BodyFraming = { kind: 'none' };
export const CHUNKED: BodyFraming = { kind: 'chunked' };
export const UNTIL_CLOSE: BodyFraming = { kind: 'until-close' };
/** A body of no bytes that is announced as such. */
export const EMPTY_BODY: BodyFraming = { kind: 'length', length: 0 };

export function lengthFraming(length: number): BodyFraming {
  return length === 0 ? EMPTY_BODY : { kind: 'length', length };
}
