import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { isIPv6 } from 'node:net';
import type { Clock, Logger, SocketAddress } from '@portolan/core';
import type { DnsMetrics } from './dns-metrics.ts';
import type { DnsOptions } from './dns-options.ts';
import type { DnsResponder } from './dns-responder.ts';
import { createResponseLimiter } from './response-limiter.ts';

/** Answers waiting for the network; more are dropped, as the network itself would. */
const MAX_QUEUED_BYTES = 4 * 1_024 * 1_024;

export interface DnsListener {
  readonly address: SocketAddress;
  close(): Promise<void>;
}

export interface DnsListenerDeps {
  readonly options: DnsOptions;
  readonly responder: DnsResponder;
  readonly metrics: DnsMetrics;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Resolves once it is bound; rejects with the system's error. */
export async function listenUdp(
  { host, port }: SocketAddress,
  { options, responder, metrics, clock, logger }: DnsListenerDeps,
): Promise<DnsListener> {
  const judge = createResponseLimiter(options.responsesPerSecond, clock);
  const socket = createSocket(isIPv6(host) ? 'udp6' : 'udp4');
  socket.on('message', (message, from) => {
    // Nothing asks from port 0, and nothing could be answered there.
    if (from.port === 0) return;
    if (socket.getSendQueueSize() > MAX_QUEUED_BYTES) {
      metrics.unanswered('overload');
      return;
    }
    const reply = responder.overUdp(message, () => judge(from.address));
    if (reply) socket.send(reply, from.port, from.address, forgetSendError);
  });
  try {
    socket.bind(port, host);
    await once(socket, 'listening');
  } catch (error) {
    socket.close();
    throw error;
  }
  socket.on('error', (err) => logger.warn({ err }, 'the UDP socket of DNS had an error'));
  return {
    address: { host, port: socket.address().port },
    async close() {
      const closed = once(socket, 'close');
      socket.close();
      await closed;
    },
  };
}

/** An asker that has gone is not our trouble. */
function forgetSendError(): void {}
