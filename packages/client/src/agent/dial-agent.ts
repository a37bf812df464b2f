import type { IncomingMessage, RequestOptions } from 'node:http';
import type { Socket } from 'node:net';
import { AGENT_PATH, AGENT_PROTOCOL, type Clock } from '@portolan/core';
import { PortolanError } from '../http/portolan-error.ts';
import { fromProblemDocument } from '../http/problem-document.ts';
import type { AgentSocket, DialAgent } from './agent-socket.ts';

const ANSWER_LIMIT_CHARACTERS = 65_536;
/** With these a registry says that it speaks the protocol but not now. */
const NOT_NOW = new Set([429, 503]);

/** Whether this is Node.js, where connections can be switched; browsers keep to plain HTTP. */
export function canDialAgents(): boolean {
  return typeof process === 'object' && typeof process.versions?.node === 'string';
}

/** Dials over `node:http` or `node:https`. Rejects with REGISTRY_UNREACHABLE, or with what the registry says. */
export function createAgentDialler(clock: Clock): DialAgent {
  return async (base, { timeoutMs }) => {
    const url = new URL(`${base}${AGENT_PATH}`);
    const secure = url.protocol === 'https:';
    const { request } = await (secure ? import('node:https') : import('node:http'));
    const options: RequestOptions = {
      headers: { connection: 'Upgrade', upgrade: AGENT_PROTOCOL, accept: 'application/json' },
      // Not from the pool: the connection is kept.
      agent: false,
    };
    return new Promise((resolve, reject) => {
      let connected = false;
      const sent = request(url, options);
      const timer = clock.setTimer(timeoutMs, () => {
        sent.destroy();
        // Something took the connection and says nothing to an upgrade: plain HTTP will show what it is.
        if (connected) resolve(undefined);
        else reject(unreachable(url, `no connection within ${timeoutMs} ms`));
      });
      sent.on('socket', (socket) => {
        socket.once(secure ? 'secureConnect' : 'connect', () => {
          connected = true;
        });
      });
      sent.on('upgrade', (answer: IncomingMessage, socket: Socket, head: Buffer) => {
        timer.cancel();
        if (answer.headers.upgrade?.toLowerCase() !== AGENT_PROTOCOL) {
          socket.destroy();
          resolve(undefined);
        } else resolve(toAgentSocket(base, socket, head));
      });
      sent.on('response', (answer) => {
        readText(answer).then((text) => {
          timer.cancel();
          const status = answer.statusCode ?? 0;
          const refusal = NOT_NOW.has(status) ? refusalIn(text, answer, status, base) : undefined;
          if (refusal) reject(refusal);
          else resolve(undefined);
        }, reject);
      });
      sent.on('error', (cause) => {
        timer.cancel();
        // Cut off after it was made: so do proxies that do not know the protocol, and servers that die.
        if (connected) resolve(undefined);
        else reject(unreachable(url, cause.message, cause));
      });
      sent.end();
    });
  };
}

function toAgentSocket(url: string, socket: Socket, head: Buffer): AgentSocket {
  socket.setNoDelay(true);
  socket.setTimeout(0);
  socket.on('error', () => socket.destroy());
  return {
    url,
    start(handler) {
      let closed = false;
      const close = (): void => {
        if (closed) return;
        closed = true;
        handler.onClosed();
      };
      socket.on('close', close);
      if (socket.destroyed) {
        close();
        return;
      }
      if (head.length > 0) socket.unshift(head);
      socket.on('data', (piece: Buffer) => {
        if (!closed) handler.onData(piece);
      });
      socket.on('drain', () => {
        if (!closed) handler.onDrain();
      });
      // A server that ended says nothing more: what was asked is asked again elsewhere.
      socket.on('end', () => socket.destroy());
      socket.resume();
    },
    write: (bytes) => (socket.writable ? socket.write(bytes) : true),
    end: () => void socket.end(),
    destroy: () => void socket.destroy(),
    hold: (held) => void (held ? socket.ref() : socket.unref()),
  };
}

async function readText(answer: IncomingMessage): Promise<string> {
  let text = '';
  answer.setEncoding('utf8');
  for await (const part of answer as AsyncIterable<string>) {
    text += part;
    if (text.length > ANSWER_LIMIT_CHARACTERS) {
      answer.destroy();
      break;
    }
  }
  return text;
}

function refusalIn(
  text: string,
  answer: IncomingMessage,
  status: number,
  url: string,
): PortolanError | undefined {
  const seconds = Number(answer.headers['retry-after']);
  const retryAfterMs = Number.isInteger(seconds) && seconds >= 0 ? seconds * 1_000 : undefined;
  try {
    return fromProblemDocument(JSON.parse(text), status, url, retryAfterMs);
  } catch {
    return undefined;
  }
}

function unreachable(url: URL, why: string, cause?: unknown): PortolanError {
  return new PortolanError('REGISTRY_UNREACHABLE', `No registry at ${url.origin}: ${why}.`, {
    status: 0,
    url: url.href,
    retryable: true,
    ...(cause === undefined ? {} : { cause }),
  });
}
