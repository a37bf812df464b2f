export { holdProcess, systemClock } from './time/system-clock.ts';
