export { EUREKA_COMPATIBILITY } from './compatibility.ts';
export {
  createEurekaAdapter,
  type EurekaAdapterDeps,
  type EurekaAdapterOptions,
} from './eureka-adapter.ts';
