import { fileURLToPath } from 'node:url';
import {
  Client,
  type ClientReadableStream,
  credentials,
  Metadata,
  type ServiceDefinition,
  type StatusObject,
} from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { createGrpcAdapter, type GrpcOptions } from '@portolan/adapters/grpc';
import { NO_METRICS } from '@portolan/core';
import { seededRandom } from '@portolan/testing';
import {
  type AdmissionOptions,
  type ControlAdmission,
  createAdmission,
  UNLIMITED,
} from '../../control/admission.ts';
import { faultLog } from '../test-control/turned-registry.ts';
import { createNativeApi, type NativeApi } from '../test-rest/native-api.ts';

const PROTOS = fileURLToPath(
  new URL('../../../../adapters/src/protocols/grpc/proto', import.meta.url),
);

export interface GrpcOutcome {
  readonly code: number;
  readonly details: string;
  readonly answers: readonly object[];
  /** When a client that tries again by itself may do so. */
  readonly pushbackMs?: number;
}

/** The gRPC API over the real registry, at a port of the loopback address, in a time that is turned. */
export interface GrpcDoor {
  readonly native: NativeApi;
  readonly definition: ServiceDefinition;
  /** What was logged as a fault of ours: has to stay empty. */
  readonly faults: readonly object[];
  readonly admission: ControlAdmission;
  /** Sends one message as bytes, however the method takes them; a watch is ended after its opening state. */
  send(method: string, bytes: Buffer): Promise<GrpcOutcome>;
  watch(request: object): ClientReadableStream<object>;
  close(): Promise<void>;
}

export async function openGrpcDoor(
  overload: Partial<AdmissionOptions> = {},
  options: Partial<GrpcOptions> = {},
): Promise<GrpcDoor> {
  const native = await createNativeApi();
  const { faults, logger } = faultLog();
  const deps = { ...native, logger, random: seededRandom(9), metrics: NO_METRICS };
  const admission = createAdmission({ ...UNLIMITED, ...overload }, { ...deps, name: 'grpc' });
  const adapter = createGrpcAdapter(
    { ...options, listen: { host: '127.0.0.1', port: 0 } },
    { ...deps, admission },
  );
  const ending = new AbortController();
  const { address, closed } = await adapter.start(ending.signal);
  const loaded = loadSync('portolan/registry/v1/registry.proto', {
    includeDirs: [PROTOS],
    longs: Number,
    enums: String,
    defaults: true,
    oneofs: true,
  });
  const definition = loaded['portolan.registry.v1.Registry'] as ServiceDefinition;
  const client = new Client(`${address.host}:${address.port}`, credentials.createInsecure());
  const asIs = (bytes: Buffer): Buffer => bytes;

  return {
    native,
    definition,
    faults,
    admission,
    send(name, bytes) {
      const method = definition[name];
      if (!method) throw new Error(`there is no method ${name}`);
      const { path, responseDeserialize } = method;
      const answers: object[] = [];
      return new Promise((resolve) => {
        const end = ({ code, details, metadata }: StatusObject): void => {
          const [pushback] = metadata.get('grpc-retry-pushback-ms');
          const pushbackMs = pushback === undefined ? undefined : Number(pushback);
          resolve({ code, details, answers, ...(pushbackMs === undefined ? {} : { pushbackMs }) });
        };
        if (!method.requestStream && !method.responseStream) {
          client.makeUnaryRequest(path, asIs, responseDeserialize, bytes, (error, answer) => {
            if (answer) answers.push(answer);
            end(error ?? { code: 0, details: '', metadata: new Metadata() });
          });
          return;
        }
        const both = method.requestStream
          ? client.makeBidiStreamRequest(path, asIs, responseDeserialize)
          : undefined;
        const stream =
          both ?? client.makeServerStreamRequest(path, asIs, responseDeserialize, bytes);
        stream.on('data', (answer: object) => {
          answers.push(answer);
          if ('ready' in answer && answer.ready) stream.cancel();
        });
        stream.on('error', () => undefined);
        stream.on('status', end);
        both?.write(bytes);
        both?.end();
      });
    },
    watch(request) {
      const { path, requestSerialize, responseDeserialize } = definition.Watch as NonNullable<
        ServiceDefinition[string]
      >;
      return client.makeServerStreamRequest(path, requestSerialize, responseDeserialize, request);
    },
    async close() {
      client.close();
      ending.abort();
      // Its farewell waits for a clock that somebody has to turn.
      await native.clock.advance(0);
      await native.clock.advance(10_000);
      await closed;
      admission.close();
      await native.close();
    },
  };
}
