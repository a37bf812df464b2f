import type { AgentSocket } from '@portolan/client';
import {
  type Admission,
  decodeNumbers,
  encodeFrame,
  encodeJsonFrame,
  encodeNumbers,
  FRAME,
  FrameReader,
  type FrameType,
  frameName,
  NO_ADMISSION,
  type UpgradedConnection,
  type UpgradedHandler,
} from '@portolan/core';
import type { NativeApi } from './native-api.ts';

/** A frame of the server as a test reads it. */
export interface SeenFrame {
  readonly name: string;
  readonly request: number;
  readonly body: unknown;
}

/** The client's end of an agent connection without a socket: says bytes and frames, and sees what comes back. */
export interface AgentPeer {
  readonly seen: SeenFrame[];
  /** Whether the server ended its side, or cut the connection. */
  readonly ended: boolean;
  readonly cut: boolean;
  /** Whether the server reads. */
  readonly reading: boolean;
  say(bytes: Uint8Array): void;
  frame(type: FrameType, request: number, payload?: object | readonly number[]): void;
  /** Takes no more of what the server says, from the next write on. */
  stopTaking(): void;
  takeAgain(): void;
  /** Closes the client's side. */
  end(): void;
  vanish(): void;
}

export interface AgentPeerOptions {
  readonly admission?: Admission;
  readonly shutdown?: AbortSignal;
}

/** Opens the agent protocol on the native API, in memory. Bytes said while the server does not read wait as in a socket. */
export function openAgent(api: NativeApi, options: AgentPeerOptions = {}): AgentPeer {
  const reader = new FrameReader('server', 16 * 1024 * 1024);
  const seen: SeenFrame[] = [];
  const waiting: Uint8Array[] = [];
  let handler: UpgradedHandler | undefined;
  let state: 'open' | 'ended' | 'cut' = 'open';
  let reading = false;
  let taking = true;
  let unsentBytes = 0;

  const connection: UpgradedConnection = {
    remoteAddress: '127.0.0.1',
    requestId: 'test-agent',
    shutdown: options.shutdown ?? new AbortController().signal,
    admission: options.admission ?? NO_ADMISSION,
    get unsentBytes() {
      return unsentBytes;
    },
    start(given) {
      handler = given;
    },
    pause() {
      reading = false;
    },
    resume() {
      reading = true;
      queueMicrotask(deliver);
    },
    write(bytes) {
      if (!taking) {
        unsentBytes += bytes.length;
        return false;
      }
      reader.feed(bytes);
      for (let frame = reader.next(); frame; frame = reader.next()) {
        const { type, request, payload } = frame;
        seen.push({ name: frameName(type), request, body: bodyOf(type, payload) });
      }
      reader.keep();
      return true;
    },
    end() {
      state = 'ended';
    },
    destroy() {
      if (state === 'cut') return;
      state = 'cut';
      handler?.onClosed();
    },
  };

  function deliver(): void {
    while (reading && state !== 'cut') {
      const piece = waiting.shift();
      if (!piece) return;
      handler?.onData(piece);
    }
  }

  const upgrade = api.adapter.routes.find((route) => route.upgrade)?.upgrade;
  upgrade?.begin(connection, upgrade.protocols[0] ?? '');

  const say = (bytes: Uint8Array): void => {
    waiting.push(bytes.slice());
    deliver();
  };
  return {
    seen,
    get ended() {
      return state !== 'open';
    },
    get cut() {
      return state === 'cut';
    },
    get reading() {
      return reading;
    },
    say,
    frame: (type, request, payload) => say(toFrame(type, request, payload)),
    stopTaking() {
      taking = false;
    },
    takeAgain() {
      taking = true;
      unsentBytes = 0;
      handler?.onDrain();
    },
    end: () => handler?.onEnd(),
    vanish: () => connection.destroy(),
  };
}

function toFrame(
  type: FrameType,
  request: number,
  payload: object | readonly number[] | undefined,
): Uint8Array {
  if (payload === undefined) return encodeFrame(type, request);
  if (Array.isArray(payload)) return encodeFrame(type, request, encodeNumbers(payload));
  return encodeJsonFrame(type, request, payload);
}

function bodyOf(type: FrameType, payload: Uint8Array): unknown {
  if (type === FRAME.RENEWED) return decodeNumbers(payload);
  if (type === FRAME.PONG || type === FRAME.PING) return [...payload];
  return JSON.parse(new TextDecoder().decode(payload));
}

/** Dials the agent protocol of the native API for a real client, in memory. */
export function dialInMemory(api: NativeApi, shutdown?: AbortSignal) {
  const opened: { cut(): void; mute(): void; readonly open: boolean }[] = [];
  return {
    opened,
    dial(url: string): AgentSocket {
      let toClient: Parameters<AgentSocket['start']>[0] | undefined;
      let toServer: UpgradedHandler | undefined;
      let open = true;
      let muted = false;
      const early: Uint8Array[] = [];
      const close = (): void => {
        if (!open) return;
        open = false;
        queueMicrotask(() => {
          toServer?.onClosed();
          toClient?.onClosed();
        });
      };
      const upgrade = api.adapter.routes.find((route) => route.upgrade)?.upgrade;
      upgrade?.begin(
        {
          remoteAddress: '127.0.0.1',
          requestId: 'test-agent',
          shutdown: shutdown ?? new AbortController().signal,
          admission: NO_ADMISSION,
          unsentBytes: 0,
          start: (handler) => {
            toServer = handler;
          },
          pause: () => undefined,
          resume: () => undefined,
          write(bytes) {
            const piece = bytes.slice();
            if (!toClient) early.push(piece);
            else queueMicrotask(() => open && !muted && toClient?.onData(piece));
            return true;
          },
          // After what was written before.
          end: () => queueMicrotask(() => queueMicrotask(close)),
          destroy: close,
        },
        upgrade.protocols[0] ?? '',
      );
      opened.push({
        cut: close,
        /** Loses everything from now on, both ways, as a network that went away does. */
        mute() {
          muted = true;
        },
        get open() {
          return open;
        },
      });
      return {
        url,
        start(handler) {
          toClient = handler;
          for (const piece of early) queueMicrotask(() => open && handler.onData(piece));
        },
        write(bytes) {
          const piece = bytes.slice();
          queueMicrotask(() => open && !muted && toServer?.onData(piece));
          return true;
        },
        end: close,
        destroy: close,
        hold: () => undefined,
      };
    },
  };
}
