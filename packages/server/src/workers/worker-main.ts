// What a gateway worker runs: the server forks it and speaks with it over the channel between them.
import { systemClock } from '@portolan/client';
import { runGatewayWorker } from './gateway-worker.ts';
import type { FromWorker, ToWorker } from './worker-messages.ts';

const { channel } = process;
if (!channel || !process.send) {
  process.stderr.write('portolan: this is a part of `portolan serve`, which starts it.\n');
  process.exit(2);
}
const send = process.send.bind(process);
const worker = runGatewayWorker({
  clock: systemClock,
  random: Math.random,
  send: (message: FromWorker) => {
    // A server that has gone is noticed below.
    if (process.connected) send(message, undefined, undefined, () => undefined);
  },
  exit: (code) => process.exit(code),
});
process.on('message', (message) => worker.receive(message as ToWorker));
// Without the server nobody tells of changes any more, and its port has to be free for the next one.
process.on('disconnect', () => worker.leave('the server has gone'));
for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  process.on(signal, () => worker.leave(signal));
}
// Sent to a whole group of processes; the server reads the configuration for all.
process.on('SIGHUP', () => undefined);
