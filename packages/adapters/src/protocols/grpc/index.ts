export { createGrpcAdapter, type GrpcDeps } from './grpc-adapter.ts';
export { DEFAULT_GRPC_OPTIONS, type GrpcOptions } from './grpc-options.ts';
