import { spawn } from 'node:child_process';

export interface ScriptOutcome {
  readonly status: 'passing' | 'warning' | 'critical';
  readonly output: string;
}

const OUTPUT_LIMIT = 256;

/** Runs a command in the shell: exit 0 passing, 1 warning, else critical. When `signal` aborts its whole group is killed. */
export function runScript(command: string, signal: AbortSignal): Promise<ScriptOutcome> {
  return new Promise((resolve) => {
    const child = spawn('/bin/sh', ['-c', command], {
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let output = '';
    const keep = (chunk: Buffer) => {
      if (output.length < OUTPUT_LIMIT) output += chunk.toString('utf8');
    };
    child.stdout.on('data', keep);
    child.stderr.on('data', keep);
    let killed = false;
    const kill = () => {
      killed = true;
      try {
        if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
      } catch {
        // It ended in this moment.
      }
      // A grandchild that left the group may hold the pipes open.
      child.stdout.destroy();
      child.stderr.destroy();
    };
    const finish = (status: ScriptOutcome['status'], fallback: string) => {
      signal.removeEventListener('abort', kill);
      resolve({ status, output: output.trim().slice(0, OUTPUT_LIMIT) || fallback });
    };
    child.once('error', (error) => finish('critical', error.message));
    child.once('close', (code, by) => {
      if (killed) finish('critical', 'the script took too long');
      else if (code === null) finish('critical', `the script was ended by ${by}`);
      else if (code === 0) finish('passing', 'exit code 0');
      else finish(code === 1 ? 'warning' : 'critical', `exit code ${code}`);
    });
    if (signal.aborted) kill();
    else signal.addEventListener('abort', kill, { once: true });
  });
}
