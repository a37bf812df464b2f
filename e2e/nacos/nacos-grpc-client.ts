import { fileURLToPath } from 'node:url';
import {
  type ChannelCredentials,
  Client,
  type ClientDuplexStream,
  credentials,
  type ServiceDefinition,
} from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';

const PROTO = fileURLToPath(
  new URL(
    '../../packages/adapters/src/protocols/nacos/grpc/nacos_grpc_service.proto',
    import.meta.url,
  ),
);

interface Payload {
  readonly metadata?: { readonly type: string; readonly headers?: Record<string, string> };
  readonly body?: { readonly value: Uint8Array };
}

export interface Received {
  readonly type: string;
  // biome-ignore lint/suspicious/noExplicitAny: tests look at the wire, whatever it holds
  readonly body: any;
}

export interface GrpcClientOptions {
  readonly headers?: Record<string, string>;
  /** Whether requests of the server are answered; default all. */
  readonly answers?: (type: string) => boolean;
}

/** Follows a Java client's connect sequence: server check, stream, setup; then calls on the same HTTP/2 connection. */
export class NacosGrpcClient {
  readonly pushed: Received[] = [];
  connectionId = '';
  ended = false;
  readonly #client: Client;
  readonly #stream: ClientDuplexStream<Payload, Payload>;
  readonly #request: ServiceDefinition[string];
  readonly #headers: Record<string, string>;
  #count = 0;

  private constructor(address: string, { headers = {}, answers = () => true }: GrpcClientOptions) {
    const loaded = loadSync(PROTO, { keepCase: true, defaults: true });
    const definition = (service: string, method: string) =>
      (loaded[service] as ServiceDefinition)[method] as ServiceDefinition[string];
    const plain: ChannelCredentials = credentials.createInsecure();
    // A channel of its own: two clients of one process would share a connection, and so be one.
    this.#client = new Client(address, plain, { 'grpc.use_local_subchannel_pool': 1 });
    this.#request = definition('Request', 'request');
    this.#headers = headers;
    const bi = definition('BiRequestStream', 'requestBiStream');
    this.#stream = this.#client.makeBidiStreamRequest(
      bi.path,
      bi.requestSerialize,
      bi.responseDeserialize as (bytes: Buffer) => Payload,
    );
    this.#stream.on('data', (payload: Payload) => {
      const received = read(payload);
      this.pushed.push(received);
      if (!answers(received.type)) return;
      const type = received.type.replace(/Request$/, 'Response');
      this.write(type, { requestId: received.body.requestId, resultCode: 200 });
    });
    this.#stream.on('error', () => {
      this.ended = true;
    });
    this.#stream.on('end', () => {
      this.ended = true;
    });
  }

  static async connect(address: string, options: GrpcClientOptions = {}): Promise<NacosGrpcClient> {
    const client = new NacosGrpcClient(address, options);
    const check = await client.call('ServerCheckRequest', {});
    client.connectionId = check.body.connectionId;
    client.write('ConnectionSetupRequest', {
      clientVersion: 'Nacos-Java-Client:v2.3.2',
      tenant: '',
      labels: { source: 'sdk', module: 'naming', AppName: 'unknown' },
      abilityTable: {},
    });
    // What a Java client does where abilities are not negotiated.
    await new Promise((resolve) => setTimeout(resolve, 100));
    return client;
  }

  /** A client that never says who it is. */
  static async stranger(address: string): Promise<NacosGrpcClient> {
    return new NacosGrpcClient(address, {});
  }

  call(type: string, body: object, raw?: Uint8Array): Promise<Received> {
    const value = raw ?? Buffer.from(JSON.stringify({ requestId: `${++this.#count}`, ...body }));
    return new Promise((resolve, reject) => {
      this.#client.makeUnaryRequest(
        this.#request.path,
        this.#request.requestSerialize,
        this.#request.responseDeserialize as (bytes: Buffer) => Payload,
        { metadata: { type, headers: this.#headers }, body: { value } },
        { deadline: Date.now() + 5_000 },
        (error, payload) => (error || !payload ? reject(error) : resolve(read(payload))),
      );
    });
  }

  instance(type: string, serviceName: string, instance: object): Promise<Received> {
    const where = { namespace: 'public', groupName: 'DEFAULT_GROUP', serviceName };
    return this.call('InstanceRequest', { ...where, type, instance });
  }

  subscribe(serviceName: string, subscribe = true): Promise<Received> {
    const where = { namespace: 'public', groupName: 'DEFAULT_GROUP', serviceName };
    return this.call('SubscribeServiceRequest', { ...where, subscribe, clusters: '' });
  }

  write(type: string, body: object, raw?: Uint8Array): void {
    const value = raw ?? Buffer.from(JSON.stringify(body));
    this.#stream.write({ metadata: { type, headers: this.#headers }, body: { value } });
  }

  /** As a client that shuts down. */
  close(): void {
    this.#stream.end();
    this.#client.close();
  }

  /** As a client whose process dies: the connection is cut. */
  cut(): void {
    this.#stream.cancel();
    this.#client.close();
  }
}

function read(payload: Payload): Received {
  const text = Buffer.from(payload.body?.value ?? []).toString();
  return { type: payload.metadata?.type ?? '', body: JSON.parse(text || '{}') };
}
