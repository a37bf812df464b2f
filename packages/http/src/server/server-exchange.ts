import type { Socket } from 'node:net';
import type { BodyFraming } from '../message/framing.ts';
import type { MessageFields } from '../message/message-fields.ts';
import type { RequestHead } from '../message/request-head.ts';
import type { KeptPiece } from '../transport/kept-piece.ts';
import type { TlsFacts } from './connection-facts.ts';

/** What an exchange tells its handler. Nothing is called after `onAbort`, nor after the response has ended. */
export interface ExchangeHandler {
  /**
   * A piece of the request's body. It is lent: what is kept of it after the call has to be copied, or, where `kept` is told, held
   * by `kept.retain()` until it is released.
   */
  onBodyData(piece: Buffer, kept?: KeptPiece): void;
  onBodyEnd(trailers: MessageFields | undefined): void;
  /** The client is gone, was too slow, or broke a rule; nothing can be sent any more. */
  onAbort(reason: Error): void;
  /** After a write returned false: more is welcome. */
  onDrain(): void;
}

/** The protocol a request came by. */
export type ExchangeProtocol = 'HTTP/1.0' | 'HTTP/1.1' | 'HTTP/2';

/** One request and its response, whatever the protocol. Inert once it ended: every later call does nothing. */
export interface ServerExchange {
  /** An HTTP/2 request reads as if it had come as HTTP/1.1. */
  readonly head: RequestHead;
  readonly protocol: ExchangeProtocol;
  /** Whether the client's connection to us is encrypted. */
  readonly secure: boolean;
  /** What the handshake said; undefined on a plain connection. */
  readonly tls: TlsFacts | undefined;
  /** Of the client, or of whom a trusted PROXY header names. */
  readonly remoteAddress: string;
  readonly remotePort: number;
  /** The address of ours that the client came to. */
  readonly localAddress: string;
  /** The port of ours that the client came to. */
  readonly localPort: number;
  /** Set before `resume`; told of aborts and drains as soon as it is set. */
  handler: ExchangeHandler | undefined;
  /** Whether `resume` answers `Expect: 100-continue`. A proxy that relays the upstream's 100 sets it to false. */
  autoContinue: boolean;
  /** For whoever handles the exchange: what it keeps beside it. */
  context: unknown;
  /** Whether body callbacks will come; false for a body of length 0. */
  readonly hasBody: boolean;
  /** 0 until the head of the final response was given. */
  readonly status: number;
  readonly aborted: boolean;
  /** Whether the response is complete or can no longer be. */
  readonly ended: boolean;
  /** Whether the request's body is wanted now. */
  readonly flowing: boolean;
  /** Whether the client still waits to be asked for the body. */
  readonly awaitsContinue: boolean;
  /** Aborts when the client goes away. */
  readonly signal: AbortSignal;
  /** Stops body callbacks, but for the rest of the piece now being decoded. */
  pause(): void;
  /** Starts or goes on with body callbacks; what has arrived already comes before this returns, or right after it. */
  resume(): void;
  sendContinue(): void;
  /** Sends an interim response other than 101; HTTP/1.0 clients are spared. */
  sendInformational(status: number, lines: string): void;
  /**
   * Gives the final response's head: `lines` are whole header lines without framing and connection fields, which are
   * written here. It leaves with the first piece of body, or after the present callbacks. The body has to keep to `framing`;
   * in answers to HEAD and with 204 and 304 it is announced and then ignored.
   */
  sendHead(status: number, lines: string, framing: BodyFraming): void;
  /** A piece of the response's body, which may be lent; false says to wait for `onDrain`. */
  write(piece: Buffer): boolean;
  /** Ends the response, with an optional last piece, not to be written to afterwards. */
  end(piece?: Buffer, trailerLines?: string): void;
  /** A whole response at once. `lines` as for `sendHead`. */
  send(status: number, lines: string, body?: Buffer): void;
  /** Like `send`, with checked headers and a Date. */
  reply(
    status: number,
    headers?: Readonly<Record<string, string>>,
    body?: string | Uint8Array,
  ): void;
  /** Starts a response of unknown length; go on with `write`, `drained` and `end`. */
  startStream(status: number, headers?: Readonly<Record<string, string>>): void;
  /** Streams a body piece by piece under back-pressure; stops asking for more when the client goes away. */
  stream(
    status: number,
    headers: Readonly<Record<string, string>>,
    body: AsyncIterable<string | Uint8Array>,
  ): Promise<void>;
  /** Resolves when more is welcome, or when the exchange ended. */
  drained(): Promise<void>;
  /** Reads the whole body. Rejects with `HttpProtocolError` BODY_TOO_LARGE, or with the reason of an abort. */
  readBody(limitBytes: number): Promise<Buffer>;
  /**
   * Answers 101 and hands over the socket, paused, with what was read beyond the head; undefined where the protocol knows no
   * switch. The caller owns it from here: it has to listen for errors and to destroy it. The server still counts the
   * connection, and destroys it when a drain runs out.
   */
  upgrade(protocol: string, lines: string): { socket: Socket; surplus: Buffer } | undefined;
  /** Cuts the response off (HTTP/1: the connection): the only way to tell a client that what began will not be completed. */
  destroy(): void;
}
