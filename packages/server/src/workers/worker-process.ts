import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { FromWorker, ToWorker } from './worker-messages.ts';

/** A process that runs a worker. */
export interface WorkerProcess {
  readonly pid: number;
  send(message: ToWorker): void;
  /** Ends it without asking. */
  kill(): void;
}

export interface WorkerProcessListener {
  onMessage(message: FromWorker): void;
  /** Called once, also when it could not be started. */
  onEnd(how: string): void;
}

/** Starts a process; tests hand in their own. */
export type StartWorkerProcess = (listener: WorkerProcessListener) => WorkerProcess;

// Beside this module, whether it runs as it is written or as it was built.
const MAIN = fileURLToPath(
  new URL(
    import.meta.url.endsWith('.ts') ? './worker-main.ts' : './worker-main.js',
    import.meta.url,
  ),
);

/** Forks a process of this program. */
export const forkWorker: StartWorkerProcess = (listener) => {
  const child: ChildProcess = fork(MAIN, [], {
    serialization: 'advanced',
    stdio: ['ignore', 1, 2, 'ipc'],
  });
  let ended = false;
  const end = (how: string): void => {
    if (ended) return;
    ended = true;
    listener.onEnd(how);
  };
  child.on('message', (message) => {
    if (!ended) listener.onMessage(message as FromWorker);
  });
  child.on('error', (error) => {
    // A message that could not be sent: how it ended is told by its exit.
    if (child.pid === undefined) end(error.message);
  });
  child.on('exit', (code, signal) => end(signal === null ? `exit code ${code}` : signal));
  return {
    pid: child.pid ?? 0,
    send(message) {
      if (child.connected) child.send(message, () => undefined);
    },
    kill: () => void child.kill('SIGKILL'),
  };
};
