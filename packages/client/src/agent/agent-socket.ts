/** The client's end of a connection that switched to the agent protocol. */
export interface AgentSocket {
  readonly url: string;
  /** Set once, before the socket is resumed. */
  start(handler: {
    onData(piece: Uint8Array): void;
    onDrain(): void;
    /** Also after errors; exactly once. */
    onClosed(): void;
  }): void;
  /** False says to wait for `onDrain`. */
  write(bytes: Uint8Array): boolean;
  end(): void;
  destroy(): void;
  /** Whether the connection keeps the process alive. */
  hold(held: boolean): void;
}

/** Dials a control port: a socket, or undefined where something answers that does not speak the protocol. */
export type DialAgent = (
  url: string,
  options: { readonly timeoutMs: number },
) => Promise<AgentSocket | undefined>;
