import type {
  handleServerStreamingCall,
  handleUnaryCall,
  ServerDuplexStream,
  ServerWritableStream,
  UntypedHandleCall,
} from '@grpc/grpc-js';
import {
  type Admission,
  type Logger,
  type Random,
  RegistryError,
  type RequestClass,
} from '@portolan/core';
import type { GrpcMetrics } from './grpc-metrics.ts';
import type { LoadedProtos } from './load-protos.ts';
import { toErrorCode, toStatusError } from './status-error.ts';

export interface CallDeps {
  readonly rpc: LoadedProtos['rpc'];
  readonly logger: Logger;
  readonly random: Random;
  readonly metrics: GrpcMetrics;
  readonly admission: Admission;
  /** How long a request was on the wire. */
  readonly bytesOf: (request: object) => number;
  /** Aborts when streams are to end. */
  readonly stopping: AbortSignal;
}

/** Writes one message and waits until it is on its way: at most one is under way, however slow the reader is. */
export type Send = (message: object) => Promise<void>;

/**
 * Turns functions into handlers: what they throw becomes a status, what is our own fault is logged, all is counted. `kind` says how
 * long a call is admitted when there is too much to do.
 */
export interface Calls {
  unary<Q extends object>(
    method: string,
    kind: RequestClass,
    handle: (request: Q) => object | Promise<object>,
  ): UntypedHandleCall;
  /** Admitted when it begins. `signal` aborts when the caller has gone or the server stops. */
  serverStream<Q>(
    method: string,
    kind: RequestClass,
    handle: (request: Q, send: Send, signal: AbortSignal) => Promise<void>,
  ): UntypedHandleCall;
  /** One answer for each request, in order; the next is read when the answer is on its way. Each is admitted by itself. */
  duplex<Q extends object>(
    method: string,
    kind: RequestClass,
    handle: (request: Q) => object | Promise<object>,
  ): UntypedHandleCall;
}

type Stream = ServerWritableStream<unknown, object> | ServerDuplexStream<unknown, object>;

export function createCalls(deps: CallDeps): Calls {
  const { rpc, logger, random, metrics, admission, bytesOf, stopping } = deps;

  function statusOf(method: string, error: unknown) {
    const requestId = Math.floor(random() * 2 ** 48)
      .toString(16)
      .padStart(12, '0');
    const code = toErrorCode(error);
    metrics.answered(method, code);
    if (code === 'INTERNAL') logger.error({ err: error, method, requestId }, 'a gRPC call failed');
    return toStatusError(error, rpc, requestId);
  }

  /** The library throws where it cannot put an answer on the wire: that ends the call, never the process. */
  const unsendable = (method: string) => (error: unknown) =>
    logger.error({ err: error, method }, 'the answer to a gRPC call could not be sent');

  /** Does the work while there is a place for it; throws CONTROL_OVERLOADED where there is none. */
  async function admitted<Q extends object>(
    kind: RequestClass,
    request: Q,
    work: (request: Q) => object | Promise<object>,
  ): Promise<object> {
    admission.enter(kind);
    const bytes = bytesOf(request);
    admission.hold(bytes);
    try {
      return await work(request);
    } finally {
      admission.leave(kind, bytes);
    }
  }

  /** Runs a stream to its end, which is the caller's, ours, or an error. */
  async function run(
    method: string,
    call: Stream,
    work: (signal: AbortSignal) => Promise<void>,
  ): Promise<void> {
    const ending = new AbortController();
    let isGone = false;
    const leave = (): void => {
      isGone = true;
      ending.abort();
    };
    const stop = (): void => ending.abort();
    call.on('cancelled', leave);
    call.on('error', leave);
    stopping.addEventListener('abort', stop);
    metrics.streams(1);
    try {
      if (stopping.aborted) throw shuttingDown();
      await work(ending.signal);
      if (stopping.aborted && !isGone) throw shuttingDown();
      metrics.answered(method, 'OK');
      call.end();
    } catch (error) {
      if (isGone) metrics.answered(method, 'CANCELLED');
      else call.emit('error', statusOf(method, error));
    } finally {
      stopping.removeEventListener('abort', stop);
      metrics.streams(-1);
    }
  }

  return {
    unary<Q extends object>(
      method: string,
      kind: RequestClass,
      handle: (request: Q) => object | Promise<object>,
    ) {
      const handler: handleUnaryCall<Q, object> = (call, callback) => {
        admitted(kind, call.request, handle)
          .then(
            (answer) => {
              metrics.answered(method, 'OK');
              callback(null, answer);
            },
            (error: unknown) => callback(statusOf(method, error)),
          )
          .catch(unsendable(method));
      };
      return handler as UntypedHandleCall;
    },
    serverStream<Q>(
      method: string,
      kind: RequestClass,
      handle: (request: Q, send: Send, signal: AbortSignal) => Promise<void>,
    ) {
      const handler: handleServerStreamingCall<Q, object> = (call) =>
        void run(method, call, async (signal) => {
          admission.enter(kind);
          try {
            await handle(call.request, (message) => written(call, message, signal), signal);
          } finally {
            admission.leave(kind);
          }
        }).catch(unsendable(method));
      return handler as UntypedHandleCall;
    },
    duplex<Q extends object>(
      method: string,
      kind: RequestClass,
      handle: (request: Q) => object | Promise<object>,
    ) {
      const handler = (call: ServerDuplexStream<Q, object>): void =>
        void run(method, call, async (signal) => {
          const requests = call.iterator({ destroyOnReturn: false }) as AsyncIterator<Q>;
          for (;;) {
            const next = await untilAborted(requests.next(), signal);
            if (next === undefined || next.done) return;
            await written(call, await admitted(kind, next.value, handle), signal);
          }
        }).catch(unsendable(method));
      return handler as UntypedHandleCall;
    },
  };
}

function written(call: Stream, message: object, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) {
      resolve();
      return;
    }
    const done = (): void => {
      signal.removeEventListener('abort', done);
      resolve();
    };
    // The answer to a write that never goes out may never come.
    signal.addEventListener('abort', done);
    call.write(message, done);
  });
}

/** What `work` gives, or undefined as soon as the signal aborts. */
export function untilAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T | undefined> {
  if (signal.aborted) return Promise.resolve(undefined);
  return new Promise((resolve, reject) => {
    const stop = (): void => resolve(undefined);
    signal.addEventListener('abort', stop, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', stop));
  });
}

function shuttingDown(): RegistryError {
  return new RegistryError('SHUTTING_DOWN', {
    detail: 'The server is shutting down; come back in a moment, also to another one.',
    retryAfterMs: 1_000,
  });
}
