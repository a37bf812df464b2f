export { createNacosGrpcAdapter, type NacosGrpcOptions } from './grpc/nacos-grpc-adapter.ts';
export { createNacosAdapter } from './nacos-adapter.ts';
export {
  createNacosParts,
  type NacosDeps,
  type NacosOptions,
  type NacosParts,
} from './nacos-parts.ts';
export { parseUserFile } from './nacos-users.ts';
