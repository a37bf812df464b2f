export {
  createEurekaAdapter,
  type EurekaAdapterDeps,
  type EurekaAdapterOptions,
} from './eureka-adapter.ts';
