import { fileURLToPath } from 'node:url';
import {
  type ClientDuplexStream,
  type ClientReadableStream,
  credentials,
  loadPackageDefinition,
  type ServiceClientConstructor,
  type ServiceError,
} from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';

/** As the package publishes them: what an application generates its client from. */
const PROTOS = fileURLToPath(
  new URL('../../packages/adapters/src/protocols/grpc/proto', import.meta.url),
);
const LOADING = {
  includeDirs: [PROTOS],
  longs: Number,
  enums: String,
  defaults: true,
  oneofs: true,
};

// biome-ignore lint/suspicious/noExplicitAny: tests look at the wire, whatever it holds
export type Message = any;

/** A client of the registry over gRPC, made from the published `.proto`. */
export interface GrpcRegistry {
  call(method: string, request: object, deadlineMs?: number): Promise<Message>;
  /** All messages of a stream that ends by itself. */
  list(method: string, request: object): Promise<Message[]>;
  watch(request: object): Watch;
  heartbeats(): ClientDuplexStream<object, Message>;
  close(): void;
}

export interface Watch {
  readonly messages: Message[];
  readonly stream: ClientReadableStream<Message>;
  /** How the stream ended. */
  readonly ended: Promise<ServiceError | undefined>;
}

export function connectGrpc(address: string, options: object = {}): GrpcRegistry {
  const loaded = loadPackageDefinition(loadSync('portolan/registry/v1/registry.proto', LOADING));
  const { Registry } = (loaded.portolan as Message).registry.v1 as {
    Registry: ServiceClientConstructor;
  };
  const client = new Registry(address, credentials.createInsecure(), options) as Message;
  return {
    call: (method, request, deadlineMs = 10_000) =>
      new Promise((resolve, reject) => {
        const deadline = new Date(Date.now() + deadlineMs);
        client[method](request, { deadline }, (error: ServiceError | null, answer: Message) =>
          error ? reject(error) : resolve(answer),
        );
      }),
    async list(method, request) {
      const all: Message[] = [];
      for await (const message of client[method](request)) all.push(message);
      return all;
    },
    watch(request) {
      const stream: ClientReadableStream<Message> = client.Watch(request);
      const messages: Message[] = [];
      stream.on('data', (message) => messages.push(message));
      const ended = new Promise<ServiceError | undefined>((resolve) => {
        stream.on('error', (error: ServiceError) => resolve(error));
        stream.on('end', () => resolve(undefined));
      });
      return { messages, stream, ended };
    },
    heartbeats: () => client.Heartbeat(),
    close: () => client.close(),
  };
}

/** Where a started server says that it listens for a dialect, as HOST:PORT. */
export function printedAddress(text: string, dialect: string): string {
  const found = new RegExp(`${dialect}://([0-9.:]+)`).exec(text)?.[1];
  if (found === undefined) throw new Error(`no address of ${dialect} in:\n${text}`);
  return found;
}
