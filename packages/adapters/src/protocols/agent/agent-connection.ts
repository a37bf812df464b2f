import {
  AGENT_LIMITS,
  AGENT_PROTOCOL,
  type Clock,
  encodeFrame,
  encodeJsonFrame,
  FRAME,
  type Frame,
  FrameReader,
  type InstanceRef,
  isRegistryError,
  joinFrames,
  type Logger,
  type Registry,
  RegistryError,
  type RequestClass,
  type TimerHandle,
  type UpgradedConnection,
} from '@portolan/core';
import type { AgentMetrics } from './agent-metrics.ts';
import {
  type AgentSlots,
  attach,
  deregister,
  errorFrame,
  invalid,
  isFatal,
  problem,
  register,
  renew,
  report,
} from './agent-requests.ts';

export interface AgentTimes {
  /** A client that has nothing to say pings this often. */
  readonly pingMs: number;
  /** Silence that ends a connection. */
  readonly idleTimeoutMs: number;
  /** From a frame's first byte to its last. */
  readonly frameTimeoutMs: number;
  /** Without any of the waiting answers being taken. */
  readonly writeIdleTimeoutMs: number;
}

export const DEFAULT_AGENT_TIMES: AgentTimes = {
  pingMs: 20_000,
  idleTimeoutMs: 60_000,
  frameTimeoutMs: 10_000,
  writeIdleTimeoutMs: 30_000,
};

export interface AgentDeps {
  readonly registry: Registry;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: AgentMetrics;
  readonly times: AgentTimes;
}

type Handler = (slots: AgentSlots, frame: Frame) => Promise<Uint8Array>;

/** What is asked, how long it is admitted, and whether it counts against the window. */
const REQUESTS = new Map<number, { handle: Handler; kind: RequestClass; waits: boolean }>([
  [FRAME.REGISTER, { handle: register, kind: 'write', waits: true }],
  [FRAME.DEREGISTER, { handle: deregister, kind: 'write', waits: true }],
  [FRAME.REPORT, { handle: report, kind: 'heartbeat', waits: true }],
  [FRAME.ATTACH, { handle: attach, kind: 'heartbeat', waits: false }],
  [FRAME.RENEW, { handle: renew, kind: 'heartbeat', waits: false }],
]);
/** Requests at a time that do not count against the window: more are not read. */
const UNCOUNTED_MAX = 256;
/** How often times are looked at, as a share of the shortest. */
const LOOKS = 4;

/** Speaks the agent protocol on one connection, from HELLO to its end. */
export function serveAgent(connection: UpgradedConnection, deps: AgentDeps): void {
  const { registry, clock, logger, metrics, times } = deps;
  const { requestId, admission, shutdown } = connection;
  const reader = new FrameReader('client', AGENT_LIMITS.frameBytes);
  const refs = new Map<number, InstanceRef>();
  const slots: AgentSlots = { refs, registry, requestId };
  const lookMs =
    Math.min(times.idleTimeoutMs, times.frameTimeoutMs, times.writeIdleTimeoutMs) / LOOKS;
  let state: 'open' | 'leaving' | 'ended' | 'closed' = 'open';
  let lastRequest = 0;
  let waiting = 0;
  let uncounted = 0;
  let out: Uint8Array[] = [];
  let stalled = false;
  let reading = false;
  let toldSlots = 0;
  let heardMs = clock.now();
  let endedMs = 0;
  let frameSinceMs: number | undefined;
  let unsent = 0;
  let takenMs = clock.now();
  let timer: TimerHandle | undefined;

  metrics.opened();
  shutdown.addEventListener('abort', leave);
  send(
    encodeJsonFrame(FRAME.HELLO, 0, {
      protocol: AGENT_PROTOCOL,
      limits: AGENT_LIMITS,
      pingMs: times.pingMs,
      idleTimeoutMs: times.idleTimeoutMs,
    }),
  );
  connection.start({
    onData(piece) {
      if (isOver()) return;
      heardMs = clock.now();
      reader.feed(piece);
      read();
      reader.keep();
    },
    onDrain() {
      stalled = false;
      read();
    },
    onEnd() {
      if (reader.pendingBytes > 0 && mayRead()) {
        fault(invalid('The peer ended in the middle of a frame.'));
      } else if (state === 'open') {
        state = 'leaving';
        endWhenDone();
      }
    },
    onClosed() {
      state = 'closed';
      shutdown.removeEventListener('abort', leave);
      timer?.cancel();
      out = [];
      refs.clear();
      noteSlots();
      metrics.closed();
    },
  });
  if (shutdown.aborted) leave();
  // Closed by its peer before it began, it has no time to keep.
  if (isOver()) return;
  look();
  read();

  /** Nothing is read or said any more. */
  function isOver(): boolean {
    return state === 'closed' || state === 'ended';
  }

  function mayRead(): boolean {
    return (
      (state === 'open' || state === 'leaving') &&
      !stalled &&
      waiting < AGENT_LIMITS.window &&
      uncounted < UNCOUNTED_MAX
    );
  }

  /** Reads on as far as there is room for what comes of it. */
  function read(): void {
    if (reading) return;
    reading = true;
    try {
      while (mayRead()) {
        const frame = reader.next();
        if (!frame) break;
        take(frame);
      }
    } catch (error) {
      fault(error);
    } finally {
      reading = false;
    }
    if (isOver()) return;
    // While we do not read, a half frame is not the peer's delay.
    frameSinceMs = reader.pendingBytes > 0 && mayRead() ? (frameSinceMs ?? clock.now()) : undefined;
    if (mayRead()) connection.resume();
    else connection.pause();
    flush();
  }

  function take(frame: Frame): void {
    const { type, request, payload } = frame;
    metrics.frame(type);
    frameSinceMs = undefined;
    if (type === FRAME.PING || type === FRAME.PONG) {
      if (payload.length > AGENT_LIMITS.pingBytes) throw invalid('A ping carries 8 bytes at most.');
      if (type === FRAME.PING) send(encodeFrame(FRAME.PONG, request, payload));
      return;
    }
    if (request <= lastRequest) {
      throw invalid(`Request ${request} comes after ${lastRequest}: numbers have to grow.`);
    }
    lastRequest = request;
    const asked = REQUESTS.get(type);
    if (!asked) throw invalid('This frame asks for nothing.');
    const { handle, kind, waits } = asked;
    if (state === 'leaving') {
      send(errorFrame(request, shuttingDown(), requestId));
      return;
    }
    try {
      admission.enter(kind);
    } catch (error) {
      send(errorFrame(request, error, requestId));
      return;
    }
    const heldBytes = waits ? payload.length : 0;
    let answer: Promise<Uint8Array>;
    try {
      answer = handle(slots, frame);
    } catch (error) {
      admission.leave(kind);
      if (isFatal(error)) throw error;
      send(refusal(request, error));
      return;
    }
    admission.hold(heldBytes);
    if (waits) waiting += 1;
    else uncounted += 1;
    answer
      .catch((error: unknown) => refusal(request, error))
      .then((frame) => {
        admission.leave(kind, heldBytes);
        if (waits) waiting -= 1;
        else uncounted -= 1;
        if (isOver()) refs.clear();
        else send(frame);
        noteSlots();
        read();
        if (state === 'leaving') endWhenDone();
      })
      .catch((error: unknown) => logger.error({ err: error, requestId }, 'an agent was lost'));
  }

  function refusal(request: number, error: unknown): Uint8Array {
    if (!isRegistryError(error)) {
      logger.error({ err: error, requestId }, 'a frame of an agent failed by a fault of ours');
    }
    return errorFrame(request, error, requestId);
  }

  function send(frame: Uint8Array): void {
    if (isOver()) return;
    out.push(frame);
    if (out.length === 1) queueMicrotask(flush);
  }

  /** What came of one turn leaves in one write. */
  function flush(): void {
    if (out.length === 0 || state === 'closed') return;
    const frames = out;
    out = [];
    const bytes = joinFrames(frames);
    if (connection.write(bytes)) return;
    stalled = true;
    connection.pause();
  }

  /** Says what is wrong and ends: nobody knows where the next frame starts. */
  function fault(error: unknown): void {
    if (isOver()) return;
    const code = isRegistryError(error) ? error.code : 'INTERNAL';
    if (code === 'INTERNAL') logger.error({ err: error, requestId }, 'an agent connection failed');
    metrics.fault(code);
    send(errorFrame(0, error, requestId));
    end();
  }

  function leave(): void {
    if (state !== 'open') return;
    state = 'leaving';
    send(encodeJsonFrame(FRAME.GOAWAY, 0, problem(shuttingDown(), requestId)));
    endWhenDone();
  }

  function endWhenDone(): void {
    if (waiting === 0 && uncounted === 0) end();
  }

  function end(): void {
    if (isOver()) return;
    flush();
    state = 'ended';
    endedMs = clock.now();
    refs.clear();
    noteSlots();
    // Read on, so that what the peer still sends does not reset our last words away.
    connection.resume();
    connection.end();
  }

  function noteSlots(): void {
    if (refs.size !== toldSlots) metrics.slots(refs.size - toldSlots);
    toldSlots = refs.size;
  }

  function look(): void {
    timer = clock.setTimer(lookMs, look);
    const nowMs = clock.now();
    const left = connection.unsentBytes;
    if (left === 0 || left < unsent) takenMs = nowMs;
    unsent = left;
    if (nowMs - takenMs >= times.writeIdleTimeoutMs) {
      metrics.fault('PEER_SILENT');
      connection.destroy();
    } else if (state === 'ended') {
      // Our last words had their time.
      if (nowMs - endedMs >= times.frameTimeoutMs) connection.destroy();
    } else if (frameSinceMs !== undefined && nowMs - frameSinceMs >= times.frameTimeoutMs) {
      fault(silent(`A frame was not complete within ${times.frameTimeoutMs} ms.`));
    } else if (mayRead() && nowMs - heardMs >= times.idleTimeoutMs) {
      fault(silent(`Nothing came for ${times.idleTimeoutMs} ms; ping every ${times.pingMs} ms.`));
    }
  }
}

function shuttingDown(): RegistryError {
  return new RegistryError('SHUTTING_DOWN', { detail: 'The server is shutting down.' });
}

function silent(detail: string): RegistryError {
  return new RegistryError('PEER_SILENT', { detail });
}
