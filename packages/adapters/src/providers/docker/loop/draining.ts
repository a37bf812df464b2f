import type { ContainerFacts, EngineEvent } from '../facts.ts';

const STOPPING = new Map([
  ['15', 'SIGTERM'],
  ['9', 'SIGKILL'],
  ['2', 'SIGINT'],
  ['3', 'SIGQUIT'],
  ['6', 'SIGABRT'],
]);

const NUMBERS: Readonly<Record<string, string>> = {
  SIGHUP: '1',
  SIGINT: '2',
  SIGQUIT: '3',
  SIGABRT: '6',
  SIGKILL: '9',
  SIGUSR1: '10',
  SIGUSR2: '12',
  SIGTERM: '15',
  SIGWINCH: '28',
};

/**
 * Why a container is about to end, if that is what the event says. A signal that an image names as its STOPSIGNAL ends it,
 * whatever it means elsewhere (Apache's is WINCH); HUP, USR1 and the like ask for something else.
 */
export function whyDraining(
  event: EngineEvent,
  container: ContainerFacts | undefined,
): string | undefined {
  if (event.type !== 'container') return undefined;
  if (event.action === 'stop') return 'the container was stopped';
  if (event.action !== 'kill') return undefined;
  const given = event.attributes.signal ?? '';
  const signal = NUMBERS[given.startsWith('SIG') ? given : `SIG${given}`] ?? given;
  const own = container?.stopSignal;
  const ownNumber = own === undefined ? undefined : toNumber(own);
  const name = STOPPING.get(signal) ?? (signal === ownNumber ? own : undefined);
  return name === undefined ? undefined : `the container was told to stop (${name})`;
}

function toNumber(signal: string): string {
  const upper = signal.toUpperCase();
  return NUMBERS[upper.startsWith('SIG') ? upper : `SIG${upper}`] ?? signal;
}
