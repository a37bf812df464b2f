import { Pool } from 'undici';
import type { EngineAddress } from './engine-address.ts';

/** The engine answered, with something other than success. */
export class EngineError extends Error {
  override readonly name = 'EngineError';
  readonly status: number;

  constructor(path: string, status: number, text: string) {
    super(`GET ${path} was answered ${status}${text === '' ? '' : `: ${text}`}`);
    this.status = status;
  }
}

export interface EngineClient {
  /** The JSON of an answer. Rejects with an `EngineError`, or with what kept it from being asked. */
  get(path: string, signal: AbortSignal): Promise<unknown>;
  /** The chunks of an answer that does not end; the promise resolves with its head. */
  stream(path: string, signal: AbortSignal): Promise<AsyncIterable<Uint8Array>>;
  close(): Promise<void>;
}

const ANSWER_TIMEOUT_MS = 15_000;
const ANSWER_LIMIT_BYTES = 64 * 1024 * 1024;
/** Bounds what inspecting many containers asks of the engine at a time. */
const CONNECTIONS = 8;

/** Asks a Docker Engine with GET only: all that a read-only proxy in front of its socket lets through. */
export function createEngineClient(address: EngineAddress): EngineClient {
  const origin =
    address.kind === 'unix'
      ? 'http://docker'
      : `${address.tls ? 'https' : 'http'}://${address.host.includes(':') ? `[${address.host}]` : address.host}:${address.port}`;
  const connect =
    address.kind === 'unix'
      ? { socketPath: address.path, timeout: 5_000 }
      : { timeout: 5_000, ...(address.tls ? toTlsOptions(address.tls) : {}) };
  const pool = new Pool(origin, {
    connections: CONNECTIONS,
    allowH2: false,
    connect,
    headersTimeout: ANSWER_TIMEOUT_MS,
    bodyTimeout: ANSWER_TIMEOUT_MS,
    keepAliveTimeout: 30_000,
  });
  // Its connection is taken for as long as it lasts, and rests for as long as nothing happens.
  const streams = new Pool(origin, {
    connections: 1,
    allowH2: false,
    connect,
    headersTimeout: 0,
    bodyTimeout: 0,
  });
  const headers = { accept: 'application/json', 'user-agent': 'portolan' };

  return {
    async get(path, signal) {
      const answer = await pool.request({ method: 'GET', path, headers, signal });
      const text = await readText(answer.body);
      if (answer.statusCode !== 200) {
        throw new EngineError(path, answer.statusCode, messageOf(text));
      }
      try {
        return JSON.parse(text) as unknown;
      } catch {
        throw new EngineError(path, answer.statusCode, 'the answer is not JSON');
      }
    },
    async stream(path, signal) {
      const answer = await streams.request({ method: 'GET', path, headers, signal });
      if (answer.statusCode === 200) return answer.body;
      throw new EngineError(path, answer.statusCode, messageOf(await readText(answer.body)));
    },
    async close() {
      await Promise.all([pool.destroy(), streams.destroy()]);
    },
  };
}

function toTlsOptions(tls: NonNullable<Extract<EngineAddress, { kind: 'tcp' }>['tls']>) {
  const { verify, ca, cert, key } = tls;
  return {
    rejectUnauthorized: verify,
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
  };
}

async function readText(body: AsyncIterable<Uint8Array>): Promise<string> {
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const part of body) {
    size += part.length;
    if (size > ANSWER_LIMIT_BYTES) throw new Error('the engine’s answer is too large');
    parts.push(part);
  }
  return Buffer.concat(parts).toString('utf8');
}

function messageOf(text: string): string {
  try {
    const { message } = JSON.parse(text) as { message?: unknown };
    return typeof message === 'string' ? message.slice(0, 300) : '';
  } catch {
    return text.trim().slice(0, 100);
  }
}
