import { createServer, type Socket } from 'node:net';
import { Server as GrpcServer, status as grpcStatus, ServerCredentials } from '@grpc/grpc-js';
import type { GrpcProbeConfig } from '@portolan/core';
import { probeContract } from '@portolan/testing/contracts/probe-contract';
import { describe, expect, test } from 'vitest';
import { fromHealthCheckResponse } from './grpc-health-message.ts';
import { createGrpcProbe } from './grpc-probe.ts';
import { freePort, Loopback } from './test-probes/loopback.ts';
import { deps, live, TARGET } from './test-probes/probe-fixtures.ts';

/** A health server whose answers depend on the service asked for. */
async function listenGrpc(withHealth: boolean): Promise<{ port: number; close: () => void }> {
  const server = new GrpcServer();
  if (withHealth) {
    server.addService(
      {
        check: {
          path: '/grpc.health.v1.Health/Check',
          requestStream: false,
          responseStream: false,
          requestSerialize: (bytes: Buffer) => bytes,
          requestDeserialize: (bytes: Buffer) => bytes,
          responseSerialize: (bytes: Buffer) => bytes,
          responseDeserialize: (bytes: Buffer) => bytes,
        },
      },
      {
        check: (
          call: { request: Buffer },
          reply: (error: object | null, value?: Buffer) => void,
        ) => {
          const name = call.request.subarray(2).toString();
          if (name === 'stuck') return;
          if (name === 'absent') return reply({ code: grpcStatus.NOT_FOUND, details: 'secret' });
          if (name === 'odd') return reply(null, Buffer.from('whatever'));
          reply(null, Buffer.from([0x08, name === 'down' ? 2 : 1]));
        },
      },
    );
  }
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error ? reject(error) : resolve(bound),
    );
  });
  return { port, close: () => server.forceShutdown() };
}

probeContract<GrpcProbeConfig>(
  'grpc',
  async () => {
    const server = await listenGrpc(true);
    const bare = await listenGrpc(false);
    const refused = await freePort();
    // In between, to see that every connection ends.
    const relay = await Loopback.listen(
      createServer((socket) => {
        const upstream = new (socket.constructor as new () => Socket)();
        upstream.on('error', () => socket.destroy());
        upstream.connect(server.port, '127.0.0.1');
        socket.pipe(upstream).pipe(socket);
        socket.on('close', () => upstream.destroy());
      }),
    );
    const grpc = (port: number, service = ''): GrpcProbeConfig => ({
      kind: 'grpc',
      host: '127.0.0.1',
      port,
      service,
      tls: false,
    });
    return {
      probe: createGrpcProbe(deps()),
      healthy: grpc(relay.port),
      unhealthy: {
        'a service that does not serve': grpc(relay.port, 'down'),
        'an unknown service': grpc(relay.port, 'absent'),
        'an unreadable answer': grpc(relay.port, 'odd'),
        'a server without health service': grpc(bare.port),
        'a refused connection': grpc(refused),
      },
      hanging: { 'the service does not answer': grpc(relay.port, 'stuck') },
      untilReleased: () => relay.untilReleased(),
      close: async () => {
        await relay.close();
        server.close();
        bare.close();
      },
    };
  },
  {
    unhealthy: [
      'a service that does not serve',
      'an unknown service',
      'an unreadable answer',
      'a server without health service',
      'a refused connection',
    ],
    hanging: ['the service does not answer'],
  },
);

describe('grpc probe', () => {
  test('explains a missing health service and keeps the instance’s own words out', async () => {
    const [bare, server] = [await listenGrpc(false), await listenGrpc(true)];
    const probe = createGrpcProbe(deps());
    const base = { kind: 'grpc', host: '127.0.0.1', tls: false } as const;
    const missing = await probe.check(TARGET, { ...base, port: bare.port, service: '' }, live());
    expect(missing.output).toContain('use a tcp check');
    const absent = await probe.check(
      TARGET,
      { ...base, port: server.port, service: 'absent' },
      live(),
    );
    expect(absent.output).not.toContain('secret');
    bare.close();
    server.close();
  });

  test.each([
    [[], 'UNKNOWN'],
    [[8, 1], 'SERVING'],
    [[8, 2], 'NOT_SERVING'],
    [[8, 9], 'unreadable'],
    [[8, 1, 0], 'unreadable'],
  ])('reads %j as %s', (bytes, word) => {
    expect(fromHealthCheckResponse(Buffer.from(bytes))).toBe(word);
  });
});
