import { type ChildProcess, spawn } from 'node:child_process';
import { constants } from 'node:os';

/** How the application ended. */
export interface ApplicationEnd {
  /** Its exit code; 128 + n when a signal ended it; 127 or 126 when it could not be started. */
  readonly exitCode: number;
  readonly reason: string;
}

/** The application that the agent runs, in a process group of its own. */
export interface Application {
  readonly pid: number | undefined;
  readonly ended: Promise<ApplicationEnd>;
  readonly running: boolean;
  /** Reaches every process of the group; false when it is gone. */
  kill(signal: NodeJS.Signals): boolean;
}

/**
 * Starts the application in a process group of its own, so that a Ctrl-C at the terminal reaches the agent alone, which
 * deregisters first and then passes the signal on, once. A background group may not read from the terminal (it would be
 * stopped), so a terminal is not handed on as standard input; pipes and files are.
 */
export function startApplication(
  command: readonly [string, ...string[]],
  options: {
    readonly stdinIsTerminal: boolean;
    readonly env: NodeJS.ProcessEnv;
    readonly cwd: string;
  },
): Application {
  const [file, ...args] = command;
  const child: ChildProcess = spawn(file, args, {
    stdio: [options.stdinIsTerminal ? 'ignore' : 'inherit', 'inherit', 'inherit'],
    detached: true,
    env: options.env,
    cwd: options.cwd,
  });
  let running = true;
  const ended = new Promise<ApplicationEnd>((resolve) => {
    const end = (exitCode: number, reason: string) => {
      running = false;
      resolve({ exitCode, reason });
    };
    child.once('error', (error: NodeJS.ErrnoException) => {
      if (child.pid !== undefined) return;
      end(error.code === 'ENOENT' ? 127 : 126, `it could not be started: ${error.message}`);
    });
    child.once('exit', (code, signal) => {
      if (code !== null) end(code, `it exited with code ${code}`);
      else if (signal) end(128 + constants.signals[signal], `it was ended by ${signal}`);
    });
  });
  return {
    pid: child.pid,
    ended,
    get running() {
      return running;
    },
    kill(signal) {
      if (child.pid === undefined) return false;
      try {
        return process.kill(-child.pid, signal);
      } catch {
        return false;
      }
    },
  };
}
