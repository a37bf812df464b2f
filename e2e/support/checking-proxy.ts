import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import {
  type AnswerCheck,
  answerCheckOf,
  describeDeviation,
  isNativeTarget,
  type ObservedExchange,
} from '../openapi-answers.ts';
import { createExchangeObserver } from './exchange-observer.ts';

/** A control port to give to a process of its own: what it receives there is checked against the API document. */
export interface CheckingProxy {
  /** Stands for the control port. */
  readonly origin: string;
  /** `METHOD /path STATUS` of each native answer, and `event NAME /path` of each event, in order. */
  readonly seen: readonly string[];
  /** Closes, and fails when anything was answered otherwise than the document says. */
  close(): Promise<void>;
}

/** Passes bytes through to the control port at `control` unchanged, whatever they are, and reads along. */
export async function startCheckingProxy(control: string): Promise<CheckingProxy> {
  const check = await answerCheckOf(control);
  if (!check) throw new Error(`no API document at ${control}`);
  return await startCheckingProxyWith(control, check);
}

/** The same by a document that was read before: the server behind may be one that starts later. */
export async function startCheckingProxyWith(
  control: string,
  check: AnswerCheck,
): Promise<CheckingProxy> {
  const { hostname, port } = new URL(control);
  const seen: string[] = [];
  const deviations: string[] = [];
  const sockets = new Set<Socket>();
  const judge = (exchange: ObservedExchange, what: string, found: readonly string[]): void => {
    seen.push(what);
    if (found.length > 0) deviations.push(describeDeviation(exchange, found));
  };

  const server = createServer((downstream) => {
    const upstream = connect(Number(port), hostname);
    const observer = createExchangeObserver({
      onAnswer(exchange) {
        if (!isNativeTarget(exchange.target)) return;
        const { method, target, status } = exchange;
        judge(exchange, `${method} ${pathOf(target)} ${status}`, check(exchange));
      },
      onEvent(exchange, event) {
        judge(
          { ...exchange, body: event.data },
          `event ${event.name} ${pathOf(exchange.target)}`,
          check.event(exchange, event),
        );
      },
    });
    const observe = (read: () => void): void => {
      try {
        read();
      } catch (error) {
        deviations.push(`what went over the connection cannot be read: ${String(error)}`);
      }
    };
    downstream.on('data', (bytes) => observe(() => observer.fromClient(bytes)));
    upstream.on('data', (bytes) => observe(() => observer.fromServer(bytes)));
    upstream.on('end', () => observe(() => observer.serverEnded()));
    for (const [from, to] of [
      [downstream, upstream],
      [upstream, downstream],
    ] as const) {
      sockets.add(from);
      from.setNoDelay(true);
      from.pipe(to);
      // Either side's fault is the other's too: a client sees a killed server as it would without us.
      from.on('error', () => to.resetAndDestroy());
      from.on('close', () => {
        sockets.delete(from);
        if (!to.writableEnded) to.destroy();
      });
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    seen,
    async close() {
      server.close();
      for (const socket of sockets) socket.destroy();
      await once(server, 'close');
      if (deviations.length > 0) throw new Error(deviations.join('\n\n'));
    },
  };
}

function pathOf(target: string): string {
  return target.split('?')[0] ?? '';
}
