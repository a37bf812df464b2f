/** One request as a parser understood it. */
export interface ReadRequest {
  readonly method: string;
  /** Origin-form, or `*`. */
  readonly target: string;
  /** The authority of an absolute-form target; undefined for any other form. */
  readonly authority: string | undefined;
  readonly minorVersion: number;
  /** Names and values in turn, as received. */
  readonly fields: readonly string[];
  readonly keepAlive: boolean;
  readonly upgrade: boolean;
  /** Whether the end of the body was found. */
  complete: boolean;
  body: string;
  trailers: readonly string[];
}

/** What a parser made of the bytes of one connection. */
export interface Reading {
  readonly requests: readonly ReadRequest[];
  /** Why it refused to go on; undefined when it did not. */
  readonly fault: string | undefined;
}
