import { fileURLToPath } from 'node:url';
import type { ServiceDefinition } from '@grpc/grpc-js';
import { loadSync, type MessageTypeDefinition, type PackageDefinition } from '@grpc/proto-loader';

/** Beside the sources in the package, from wherever they run. */
const FOLDER = fileURLToPath(new URL('../../../src/protocols/grpc/proto/', import.meta.url));

// Revisions and milliseconds are below 2^53; what is not is refused where it is read.
const LOADING = {
  includeDirs: [FOLDER],
  longs: Number,
  enums: String,
  defaults: true,
  oneofs: true,
};

export const REGISTRY_SERVICE = 'portolan.registry.v1.Registry';

export interface LoadedProtos {
  readonly registry: ServiceDefinition;
  /** For reflection. */
  readonly packageDefinition: PackageDefinition;
  /** Encoders of google.rpc, by message name. */
  readonly rpc: Readonly<Record<RpcMessage, (value: object) => Buffer>>;
}

export type RpcMessage = 'Status' | 'ErrorInfo' | 'BadRequest' | 'RetryInfo';

/** Reads the published `.proto` files. */
export function loadProtos(): LoadedProtos {
  const packageDefinition = loadSync('portolan/registry/v1/registry.proto', LOADING);
  const rpc = loadSync('google/rpc/error.proto', LOADING);
  const encoder = (name: RpcMessage) => {
    const definition = rpc[`google.rpc.${name}`] as MessageTypeDefinition<object, object>;
    return (value: object): Buffer => definition.serialize(value);
  };
  return {
    registry: packageDefinition[REGISTRY_SERVICE] as ServiceDefinition,
    packageDefinition,
    rpc: {
      Status: encoder('Status'),
      ErrorInfo: encoder('ErrorInfo'),
      BadRequest: encoder('BadRequest'),
      RetryInfo: encoder('RetryInfo'),
    },
  };
}
