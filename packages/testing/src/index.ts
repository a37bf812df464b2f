export { seededRandom } from './random/seeded-random.ts';
export { settle, TurnableClock } from './time/turnable-clock.ts';
