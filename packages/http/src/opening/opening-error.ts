/** Why a connection's first bytes are not what its listener was promised. */
export type OpeningErrorCode =
  | 'PROXY_HEADER_INVALID'
  | 'CLIENT_HELLO_INVALID'
  | 'OPENING_TOO_LARGE'
  | 'OPENING_TIMEOUT'
  | 'OPENING_TRUNCATED';

export class OpeningError extends Error {
  readonly code: OpeningErrorCode;

  constructor(code: OpeningErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'OpeningError';
    this.code = code;
  }
}

/** What was read at the start of a connection, and how many bytes it took. */
export interface Opening<T> {
  readonly value: T;
  readonly length: number;
}
