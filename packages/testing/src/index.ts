export { seededRandom } from './random/seeded-random.ts';
export { MemoryStore, type MemoryStoreOptions } from './store/memory-store.ts';
export { settle, TurnableClock } from './time/turnable-clock.ts';
