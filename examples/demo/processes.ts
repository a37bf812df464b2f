import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const SERVICE = fileURLToPath(new URL('./service.ts', import.meta.url));
const START_LIMIT_MS = 20_000;

/** Everything the demo starts; all of it is gone when the demo ends, however it ends. */
export class Processes {
  readonly folder = mkdtempSync(join(tmpdir(), 'portolan-demo-'));
  readonly #children = new Set<ChildProcess>();

  /** Starts `portolan serve` on free ports and resolves with its URLs once it is ready. */
  async startServer(): Promise<{ readonly gateway: string; readonly control: string }> {
    const entry = createRequire(import.meta.url).resolve('portolan');
    const bin = join(dirname(entry), '..', 'bin', 'portolan.js');
    const listen = ['--control', '127.0.0.1:0', '--gateway', '127.0.0.1:0'];
    const args = [bin, 'serve', '--data-dir', this.folder, ...listen, '--log-level', 'error'];
    const child = this.#spawn(args, {}, 'pipe');
    const text = await readUntil(child, /^ready$/m);
    const urlOf = (name: string): string =>
      new RegExp(`^\\s*${name}\\s+(http://[^/\\s]+)`, 'm').exec(text)?.[1] ?? '';
    return { gateway: urlOf('gateway'), control: urlOf('api') };
  }

  startService(name: string, version: string, registry: string): ChildProcess {
    const env = { DEMO_NAME: name, DEMO_VERSION: version, DEMO_REGISTRY: registry };
    return this.#spawn([SERVICE], env, 'inherit');
  }

  /** Kills what still runs and removes the folder; safe in an exit handler. */
  dispose(): void {
    for (const child of this.#children) child.kill('SIGKILL');
    this.#children.clear();
    rmSync(this.folder, { recursive: true, force: true });
  }

  #spawn(args: readonly string[], env: Record<string, string>, stdout: 'pipe' | 'inherit') {
    // A terminal's Ctrl-C is ours alone: the others are stopped by us.
    const child = spawn(process.execPath, args, {
      cwd: this.folder,
      env: { ...process.env, ...env },
      stdio: ['ignore', stdout, 'inherit'],
      detached: true,
    });
    this.#children.add(child);
    child.once('exit', () => this.#children.delete(child));
    return child;
  }
}

function readUntil(child: ChildProcess, wanted: RegExp): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = '';
    const timer = setTimeout(() => reject(new Error('the server did not start')), START_LIMIT_MS);
    child.once('exit', (code) => reject(new Error(`the server ended with ${code}`)));
    child.stdout?.setEncoding('utf8').on('data', (part: string) => {
      text += part;
      if (!wanted.test(text)) return;
      clearTimeout(timer);
      resolve(text);
    });
  });
}
