import { execFile, execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { DockerEngine } from '../support/docker-engine.ts';
import { REPOSITORY } from './images.ts';

const run = promisify(execFile);

/** The compose command of this machine; undefined when there is none. */
export function composeCommand(): readonly string[] | undefined {
  return [['docker', 'compose'], ['docker-compose']].find(([program = '', ...args]) => {
    try {
      execFileSync(program, [...args, 'version'], { stdio: 'ignore' });
      return true;
    } catch {
      return false;
    }
  });
}

/** Runs compose with the files of `deploy/`, as they are. */
export function composeProject(
  engine: DockerEngine,
  command: readonly string[],
  files: readonly string[],
  environment: Readonly<Record<string, string>>,
): (...args: readonly string[]) => Promise<string> {
  const [program = '', ...first] = command;
  const named = files.flatMap((name) => ['-f', join(REPOSITORY, 'deploy', name)]);
  return async (...args) => {
    const { stdout } = await run(program, [...first, '-p', 'portolan', ...named, ...args], {
      env: { ...process.env, DOCKER_HOST: engine.host, ...environment },
      maxBuffer: 16 * 1024 ** 2,
    });
    return stdout.trim();
  };
}
