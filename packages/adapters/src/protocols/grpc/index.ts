export { createGrpcAdapter, type GrpcDeps } from './grpc-adapter.ts';
export type { GrpcOptions } from './grpc-options.ts';
