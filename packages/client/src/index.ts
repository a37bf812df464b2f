export { systemClock } from './time/system-clock.ts';
