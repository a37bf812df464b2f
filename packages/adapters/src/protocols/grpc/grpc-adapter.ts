import { Server, type ServiceDefinition, type UntypedServiceImplementation } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { ReflectionService } from '@grpc/reflection';
import {
  type Admission,
  type Clock,
  type Logger,
  type Metrics,
  NO_ADMISSION,
  type Random,
  type Registry,
  type SocketProtocolAdapter,
} from '@portolan/core';
import { HealthImplementation, protoPath } from 'grpc-health-check';
import { createWatcherBudget } from '../watching/watcher-budget.ts';
import { createCalls } from './grpc-calls.ts';
import { listenGrpc } from './grpc-listener.ts';
import { measureGrpc } from './grpc-metrics.ts';
import { DEFAULT_GRPC_OPTIONS, type GrpcOptions } from './grpc-options.ts';
import { loadProtos, REGISTRY_SERVICE } from './load-protos.ts';
import { readMethods } from './read-methods.ts';
import { createWatchMessages } from './watch-messages.ts';
import { writeMethods } from './write-methods.ts';

export interface GrpcDeps {
  readonly registry: Registry;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly metrics: Metrics;
  /** Asked for every call, and every message of a heartbeat stream; absent: all are taken. */
  readonly admission?: Admission;
}

const SERVED = ['', REGISTRY_SERVICE];

/** The native API over gRPC, with reflection and the health service; without TLS, as the control port. */
export function createGrpcAdapter(
  given: Partial<GrpcOptions>,
  deps: GrpcDeps,
): SocketProtocolAdapter {
  const options = { ...DEFAULT_GRPC_OPTIONS, ...given };
  const { registry, clock, random, logger, admission = NO_ADMISSION } = deps;
  const metrics = measureGrpc(deps.metrics);
  return {
    transport: 'socket',
    name: 'grpc',
    listen: options.listen,
    async start(signal) {
      const protos = loadProtos();
      const server = new Server(toServerOptions(options));
      const sizes = new WeakMap<object, number>();
      const calls = createCalls({
        rpc: protos.rpc,
        logger,
        random,
        metrics,
        admission,
        bytesOf: (request) => sizes.get(request) ?? 0,
        stopping: signal,
      });
      const { definition, encodeWatch } = withReadyBytes(withSizes(protos.registry, sizes));
      const implementation: UntypedServiceImplementation = {
        ...writeMethods(registry, calls),
        ...readMethods({
          registry,
          calls,
          watchers: createWatcherBudget(options.maxWatchers),
          watchMessages: createWatchMessages(encodeWatch),
        }),
      };
      server.addService(definition, implementation);
      const health = new HealthImplementation(
        Object.fromEntries(SERVED.map((name) => [name, 'SERVING'])),
      );
      health.addToServer(server);
      new ReflectionService({
        ...protos.packageDefinition,
        ...loadSync(protoPath),
      }).addToServer(server);
      const listener = await listenGrpc(options.listen, server, options, { clock, logger });
      const closed = whenAborted(signal).then(() => {
        for (const name of SERVED) health.setStatus(name, 'NOT_SERVING');
        return listener.close(options.drainMs);
      });
      return { address: listener.address, closed };
    },
  };
}

function toServerOptions(options: GrpcOptions) {
  return {
    'grpc.max_receive_message_length': options.maxMessageBytes,
    'grpc.max_send_message_length': -1,
    'grpc.max_concurrent_streams': options.maxStreams,
    'grpc.keepalive_time_ms': options.keepaliveMs,
    'grpc.keepalive_timeout_ms': options.keepaliveTimeoutMs,
    'grpc.max_connection_idle_ms': options.idleTimeoutMs,
    'grpc.enable_channelz': 0,
  };
}

/** The answers of a watch are bytes already when they are handed over. */
function withReadyBytes(service: ServiceDefinition): {
  readonly definition: ServiceDefinition;
  readonly encodeWatch: (message: object) => Buffer;
} {
  const { Watch } = service;
  if (!Watch) throw new Error('registry.proto has no Watch');
  return {
    definition: { ...service, Watch: { ...Watch, responseSerialize: (bytes: Buffer) => bytes } },
    encodeWatch: Watch.responseSerialize,
  };
}

/** Keeps how long each request was on the wire. */
function withSizes(service: ServiceDefinition, sizes: WeakMap<object, number>): ServiceDefinition {
  const methods = Object.entries(service).map(([name, method]) => {
    const requestDeserialize = (bytes: Buffer): object => {
      const request = method.requestDeserialize(bytes) as object;
      sizes.set(request, bytes.length);
      return request;
    };
    return [name, { ...method, requestDeserialize }];
  });
  return Object.fromEntries(methods);
}

function whenAborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
