import { connect, type Socket } from 'node:net';

/** What a run gave. Latencies are milliseconds from writing a request to having its whole answer. */
export interface LoadResult {
  readonly requests: number;
  readonly errors: number;
  readonly seconds: number;
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p90Ms: number;
  readonly p99Ms: number;
  readonly p999Ms: number;
  readonly firstError?: string;
}

export interface LoadOptions {
  readonly origin: string;
  readonly connections: number;
  /** The next request's bytes, or undefined when there is no more to send. */
  readonly next: (sequence: number) => Buffer | undefined;
  /** Stops asking for more after this long; absent: until `next` says so. */
  readonly durationMs?: number;
  /** Called with every answer's status and body. */
  readonly onAnswer?: (status: number, body: Buffer, sequence: number) => void;
  /** Requests a second over all connections, evenly spaced; absent: as fast as answers come. */
  readonly rate?: number;
}

/** A whole HTTP/1.1 request as bytes. */
export function requestBytes(method: string, path: string, host: string, body?: unknown): Buffer {
  const json = body === undefined ? '' : JSON.stringify(body);
  const content =
    body === undefined
      ? ''
      : `content-type: application/json\r\ncontent-length: ${Buffer.byteLength(json)}\r\n`;
  return Buffer.from(`${method} ${path} HTTP/1.1\r\nhost: ${host}\r\n${content}\r\n${json}`);
}

/**
 * Closed-loop load over keep-alive connections (or open-loop with `rate`), written on raw sockets so that the generator
 * costs little beside the server it measures. Runs in a process other than the server's.
 */
export async function runLoad(options: LoadOptions): Promise<LoadResult> {
  const { hostname, port } = new URL(options.origin);
  const latencies: number[] = [];
  let sequence = 0;
  let errors = 0;
  let firstError: string | undefined;
  const startedMs = performance.now();
  const endMs = options.durationMs === undefined ? Infinity : startedMs + options.durationMs;

  const lane = (): Promise<void> =>
    new Promise((resolve) => {
      const socket: Socket = connect({ host: hostname, port: Number(port), noDelay: true });
      let buffered: Buffer = Buffer.alloc(0);
      let current = -1;
      let sentMs = 0;
      let over = false;
      const finish = (): void => {
        if (over) return;
        over = true;
        socket.destroy();
        resolve();
      };
      const send = (): void => {
        if (performance.now() >= endMs) {
          finish();
          return;
        }
        const index = sequence;
        const bytes = options.next(index);
        if (!bytes) {
          finish();
          return;
        }
        sequence += 1;
        current = index;
        const dueMs = options.rate ? startedMs + (index / options.rate) * 1000 : 0;
        const waitMs = dueMs - performance.now();
        if (waitMs > 0.5) {
          setTimeout(() => {
            sentMs = dueMs;
            socket.write(bytes);
          }, waitMs);
        } else {
          // Under an open loop the clock starts when the request was due, not when it could be sent.
          sentMs = options.rate ? dueMs : performance.now();
          socket.write(bytes);
        }
      };
      const fail = (why: string): void => {
        if (over) return;
        errors += 1;
        firstError ??= why;
        finish();
      };
      socket.on('connect', send);
      socket.on('error', (error) => fail(error.message));
      socket.on('close', () => fail('connection closed'));
      socket.on('data', (chunk: Buffer) => {
        buffered = buffered.length === 0 ? chunk : Buffer.concat([buffered, chunk]);
        const headEnd = buffered.indexOf('\r\n\r\n');
        if (headEnd < 0) return;
        const head = buffered.toString('latin1', 0, headEnd).toLowerCase();
        const at = head.indexOf('\r\ncontent-length:');
        if (at < 0) {
          fail(`an answer without Content-Length: ${head.slice(0, 80)}`);
          return;
        }
        const length = Number.parseInt(head.slice(at + 17), 10);
        if (buffered.length < headEnd + 4 + length) return;
        latencies.push(performance.now() - sentMs);
        const status = Number(head.slice(9, 12));
        const body = buffered.subarray(headEnd + 4, headEnd + 4 + length);
        if (status >= 400) {
          errors += 1;
          firstError ??= `${status} ${body.toString('utf8').slice(0, 200)}`;
        }
        options.onAnswer?.(status, body, current);
        buffered = buffered.subarray(headEnd + 4 + length);
        send();
      });
    });

  await Promise.all(Array.from({ length: options.connections }, lane));
  const seconds = (performance.now() - startedMs) / 1000;
  const sorted = Float64Array.from(latencies).sort();
  const at = (share: number): number =>
    sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
  return {
    requests: sorted.length,
    errors,
    seconds,
    perSecond: sorted.length / seconds,
    p50Ms: at(0.5),
    p90Ms: at(0.9),
    p99Ms: at(0.99),
    p999Ms: at(0.999),
    ...(firstError === undefined ? {} : { firstError }),
  };
}
