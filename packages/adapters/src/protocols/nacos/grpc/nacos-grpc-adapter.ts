import type {
  handleBidiStreamingCall,
  handleUnaryCall,
  Server,
  ServerCredentials,
  ServerDuplexStream,
} from '@grpc/grpc-js';
import {
  type Admission,
  isRegistryError,
  NO_ADMISSION,
  type SocketAddress,
  type SocketProtocolAdapter,
} from '@portolan/core';
import type { NacosClient } from '../client-directory.ts';
import { toNacosFault } from '../nacos-error.ts';
import type { NacosParts } from '../nacos-parts.ts';
import { Connection } from './connection.ts';
import { type ConnectionTable, createConnectionTable } from './connection-table.ts';
import { classOf, namingRequests } from './naming-requests.ts';
import {
  failure,
  loadServices,
  MAX_MESSAGE_BYTES,
  type Message,
  type Payload,
  readPayload,
  requestIdOf,
  success,
  toPayload,
} from './payload.ts';

export interface NacosGrpcOptions {
  readonly listen: SocketAddress;
  /** Clients at a time; default 10,000. */
  readonly maxConnections?: number;
  /** Asked for every request; absent: all are taken. */
  readonly admission?: Admission;
}

const UNREGISTERED = 301;
const NO_HANDLER = 302;
/** A stream that does not say who it is within this is ended. */
const SETUP_WITHIN_MS = 10_000;
const MAX_CHECKED = 10_000;

type Stream = ServerDuplexStream<Payload, Payload>;

/**
 * The gRPC protocol of Nacos 2 and 3 clients, for naming. A client is its HTTP/2 connection: unary calls belong to the stream that
 * came from the same address and port.
 */
export function createNacosGrpcAdapter(
  options: NacosGrpcOptions,
  parts: NacosParts,
): SocketProtocolAdapter {
  return {
    transport: 'socket',
    name: 'nacos-grpc',
    listen: options.listen,
    async start(signal) {
      // Whoever serves no gRPC does not pay for the library.
      const grpc = await import('@grpc/grpc-js');
      const table = createConnectionTable(parts);
      parts.clients.add(() => connectedClients(table));
      const server = new grpc.Server({
        'grpc.max_receive_message_length': MAX_MESSAGE_BYTES,
        'grpc.max_send_message_length': MAX_MESSAGE_BYTES,
      });
      const services = await loadServices();
      const front = createFront(options, parts, table);
      server.addService(services.request, { request: front.unary });
      server.addService(services.stream, { requestBiStream: front.stream });
      const { host } = options.listen;
      const port = await bind(server, options.listen, grpc.ServerCredentials.createInsecure());
      const closed = new Promise<void>((resolve) => {
        const end = (): void => {
          table.close();
          server.forceShutdown();
          resolve();
        };
        if (signal.aborted) end();
        else signal.addEventListener('abort', end, { once: true });
      });
      return { address: { host, port }, closed };
    },
  };
}

function* connectedClients(table: ConnectionTable): Generator<NacosClient> {
  for (const connection of table.all()) {
    yield {
      id: connection.id,
      kind: 'connection',
      lastUpdatedMs: connection.sinceMs,
      published: [...connection.held.values()].map(({ service, instance }) => ({
        service,
        ip: instance.ip,
        port: instance.port,
        cluster: instance.clusterName,
      })),
      subscribed: [...connection.subscriptions.values()].map(({ service }) => service),
      address: connection.peer,
    };
  }
}

function bind(
  server: Server,
  { host, port }: SocketAddress,
  credentials: ServerCredentials,
): Promise<number> {
  const address = `${host.includes(':') ? `[${host}]` : host}:${port}`;
  return new Promise((resolve, reject) => {
    server.bindAsync(address, credentials, (error, bound) => {
      if (!error) return resolve(bound);
      // The library says what the system said only in words.
      const code = /\bE[A-Z]{4,}\b/.exec(error.message)?.[0];
      reject(code === undefined ? error : Object.assign(error, { code }));
    });
  });
}

function createFront(
  { maxConnections = 10_000, admission = NO_ADMISSION }: NacosGrpcOptions,
  parts: NacosParts,
  table: ConnectionTable,
): {
  readonly unary: handleUnaryCall<Payload, Payload>;
  readonly stream: handleBidiStreamingCall<Payload, Payload>;
} {
  const { clock, logger, users } = parts;
  const handlers = namingRequests(parts, table);
  /** Ids given out by a server check, for the stream that follows it. */
  const checked = new Map<string, string>();

  async function answer(message: Message, peer: string): Promise<Payload> {
    const { type, body, headers } = message;
    const requestId = requestIdOf(body);
    if (type === 'ServerCheckRequest') {
      const connectionId = idOf(peer);
      const more = { connectionId, supportAbilityNegotiation: false };
      return toPayload('ServerCheckResponse', success(requestId, more));
    }
    const connection = table.byPeer(peer);
    if (!connection) {
      const why = 'Connection is unregistered.';
      return toPayload('ErrorResponse', failure(requestId, UNREGISTERED, why));
    }
    connection.touch();
    if (type === 'HealthCheckRequest') return toPayload('HealthCheckResponse', success(requestId));
    const handler = Object.hasOwn(handlers, type) ? handlers[type] : undefined;
    if (!handler) {
      const why = `RequestHandler Not Found: ${type.slice(0, 64)}`;
      return toPayload('ErrorResponse', failure(requestId, NO_HANDLER, why));
    }
    users?.require({
      accessToken: headers.accessToken,
      username: headers.username,
      password: headers.password,
    });
    const { type: answered, body: more } = await handler(connection, body);
    return toPayload(answered, success(requestId, more));
  }

  /** Answers while there is a place for it; throws CONTROL_OVERLOADED where there is none. */
  async function admitted(message: Message, bytes: number, peer: string): Promise<Payload> {
    const kind = classOf(message.type);
    admission.enter(kind);
    admission.hold(bytes);
    try {
      return await answer(message, peer);
    } finally {
      admission.leave(kind, bytes);
    }
  }

  /** One id a connection, whether it is asked for or the stream comes without. */
  function idOf(peer: string): string {
    const known = table.byPeer(peer)?.id ?? checked.get(peer);
    if (known !== undefined) return known;
    const at = peer.lastIndexOf(':');
    const id = `${Math.floor(clock.wallNow())}_${peer.slice(0, at)}_${peer.slice(at + 1)}`;
    checked.set(peer, id);
    for (const oldest of checked.keys()) {
      if (checked.size <= MAX_CHECKED) break;
      checked.delete(oldest);
    }
    return id;
  }

  function toErrorResponse(error: unknown, requestId: string): Payload {
    const at = `grpc-${requestId}`;
    if (!isRegistryError(error)) {
      logger.error({ err: error, requestId: at }, 'a request failed by a fault of ours');
    }
    const { status, message } = toNacosFault(error, at);
    return toPayload('ErrorResponse', failure(requestId, status, message));
  }

  function open(peer: string, call: Stream): Connection | undefined {
    if (table.size >= maxConnections) return undefined;
    const connection = new Connection(
      idOf(peer),
      peer,
      { write: (payload) => call.write(payload), end: () => call.end() },
      clock,
    );
    checked.delete(peer);
    table.add(connection);
    return connection;
  }

  return {
    unary(call, callback) {
      let requestId = '';
      const done = (payload: Payload): void => callback(null, payload);
      try {
        const message = readPayload(call.request);
        requestId = requestIdOf(message.body);
        const bytes = call.request.body?.value?.length ?? 0;
        admitted(message, bytes, call.getPeer()).then(done, (error: unknown) =>
          done(toErrorResponse(error, requestId)),
        );
      } catch (error) {
        done(toErrorResponse(error, requestId));
      }
    },

    stream(call) {
      const peer = call.getPeer();
      let connection: Connection | undefined;
      const setup = clock.setTimer(SETUP_WITHIN_MS, () => call.end());
      const over = (): void => {
        setup.cancel();
        const left = connection;
        connection = undefined;
        if (!left) return;
        table.remove(left).catch((error: unknown) => {
          logger.warn({ err: error }, 'a Nacos client could not be let go');
        });
      };
      call.on('data', (payload: Payload) => {
        let message: Message;
        try {
          message = readPayload(payload);
        } catch (error) {
          call.write(toErrorResponse(error, ''));
          return;
        }
        if (connection) connection.take(message);
        else if (message.type === 'ConnectionSetupRequest') {
          setup.cancel();
          connection = open(peer, call);
          if (connection) return;
          call.write(toPayload('ConnectResetRequest', { requestId: '0', module: 'internal' }));
          call.end();
        }
      });
      call.on('end', () => {
        over();
        call.end();
      });
      call.on('cancelled', over);
      call.on('error', over);
      call.on('close', over);
    },
  };
}
