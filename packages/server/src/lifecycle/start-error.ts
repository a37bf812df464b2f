/** The server cannot start for a reason that lies in its surroundings; the message is for people. */
export class StartError extends Error {
  override readonly name = 'StartError';
  readonly hints: readonly string[];

  constructor(message: string, options: { hints?: readonly string[]; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.hints = options.hints ?? [];
  }
}
