import { createSocket, type Socket } from 'node:dgram';
import type { Logger } from '@portolan/core';

/** Sends and receives datagrams of either family. */
export interface DatagramPort {
  send(datagram: Uint8Array, host: string, port: number): void;
  onMessage: (datagram: Uint8Array, host: string, port: number) => void;
  close(): void;
}

/** A socket a family, opened when the first datagram goes there. What cannot be sent is lost, as datagrams are. */
export function createDatagramPort({ logger }: { readonly logger: Logger }): DatagramPort {
  const sockets = new Map<'udp4' | 'udp6', Socket>();

  function socketOf(family: 'udp4' | 'udp6'): Socket {
    const present = sockets.get(family);
    if (present) return present;
    const socket = createSocket(family);
    sockets.set(family, socket);
    socket.unref();
    socket.on('message', (datagram, { address, port: from }) => {
      port.onMessage(datagram, address, from);
    });
    socket.on('error', (error) => {
      logger.warn({ err: error }, 'the socket of pushes failed and is opened anew');
      sockets.delete(family);
      socket.close();
    });
    return socket;
  }

  const port: DatagramPort = {
    send(datagram, host, to) {
      const family = host.includes(':') ? 'udp6' : 'udp4';
      socketOf(family).send(datagram, to, host, (error) => {
        if (error) logger.debug({ err: error, host, port: to }, 'a push could not be sent');
      });
    },
    onMessage() {
      // Set by who uses it.
    },
    close() {
      for (const socket of sockets.values()) socket.close();
      sockets.clear();
    },
  };
  return port;
}
