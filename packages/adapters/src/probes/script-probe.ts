import { type ChildProcessByStdio, spawn } from 'node:child_process';
import type { Readable } from 'node:stream';
import type {
  Clock,
  HealthProbe,
  Registration,
  ScriptProbeConfig,
  TimerHandle,
} from '@portolan/core';
import { describeFault } from './describe-fault.ts';
import { FirstLine } from './first-line.ts';
import type { ProbeDeps } from './probe-deps.ts';
import { critical, type ProbeVerdict, passing, timed, warning } from './probe-verdict.ts';

/** From the polite signal to the final one. */
const KILL_GRACE_MS = 500;
/** For output still in the pipes once the process is gone; a descendant that left the group may hold them open. */
const DRAIN_GRACE_MS = 100;

type Child = ChildProcessByStdio<null, Readable, Readable>;

/**
 * Runs a command, without a shell, as the leader of its own process group; exit 0 is passing, 1 warning, anything else
 * critical. When it settles, no process of that group is left: at the timeout it is asked to stop, then killed.
 */
export function createScriptProbe(deps: Pick<ProbeDeps, 'clock'>): HealthProbe<ScriptProbeConfig> {
  return {
    kind: 'script',
    check: (target, config, signal) =>
      timed(deps.clock, () => runScript(config.command, toEnvironment(target), deps.clock, signal)),
  };
}

/** What the script may know: where programs are, and whom it checks. Nothing of the server's own environment. */
function toEnvironment(target: Registration): NodeJS.ProcessEnv {
  return {
    PATH: process.env.PATH ?? '/usr/local/bin:/usr/bin:/bin',
    LANG: 'C.UTF-8',
    CHECK_SERVICE: target.service.name,
    CHECK_INSTANCE: target.id,
    CHECK_ADDRESS: target.address,
    CHECK_PORT: String(target.port),
  };
}

function runScript(
  [program, ...args]: ScriptProbeConfig['command'],
  env: NodeJS.ProcessEnv,
  clock: Clock,
  signal: AbortSignal,
): Promise<ProbeVerdict> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve(critical('not run: no time was left'));
    let child: Child;
    try {
      child = spawn(program, args, { env, detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
    } catch (error) {
      // An argument with a NUL byte, for one, is thrown instead of emitted.
      return resolve(critical(`cannot run ${program}: ${describeFault(error)}`));
    }
    const out = new FirstLine();
    const err = new FirstLine();
    child.stdout.on('data', (bytes: Buffer) => out.push(bytes));
    child.stderr.on('data', (bytes: Buffer) => err.push(bytes));
    let timedOut = false;
    let timer: TimerHandle | undefined;

    const onAbort = (): void => {
      timedOut = true;
      killGroup(child, 'SIGTERM');
      timer = clock.setTimer(KILL_GRACE_MS, () => killGroup(child, 'SIGKILL'));
    };
    signal.addEventListener('abort', onAbort, { once: true });

    child.once('error', (error) => {
      signal.removeEventListener('abort', onAbort);
      timer?.cancel();
      resolve(critical(`cannot run ${program}: ${describeFault(error)}`));
    });
    child.once('exit', (code, exitSignal) => {
      signal.removeEventListener('abort', onAbort);
      timer?.cancel();
      // What it left behind goes with it; the group id cannot have been given away in this same turn.
      killGroup(child, 'SIGKILL');
      const drained = clock.setTimer(DRAIN_GRACE_MS, () => {
        child.stdout.destroy();
        child.stderr.destroy();
      });
      child.once('close', () => {
        drained.cancel();
        resolve(timedOut ? late(program) : judge(code, exitSignal, out.text || err.text));
      });
    });
  });
}

function late(program: string): ProbeVerdict {
  return critical(`${program} did not end in time and was stopped`);
}

function judge(code: number | null, exitSignal: NodeJS.Signals | null, line: string): ProbeVerdict {
  const said = line === '' ? '' : `: ${line}`;
  if (code === null) return critical(`ended by ${exitSignal ?? 'a signal'}${said}`);
  if (code === 0) return passing(`exit 0${said}`);
  return code === 1 ? warning(`exit 1${said}`) : critical(`exit ${code}${said}`);
}

function killGroup(child: Child, signal: NodeJS.Signals): void {
  // No pid: it never started. Without this check the group would be our own.
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, signal);
  } catch {
    // Nobody is left in the group, or the platform has none: then the process alone.
    child.kill(signal);
  }
}
