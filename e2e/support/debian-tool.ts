import { execFileSync } from 'node:child_process';

/** Whether a program of a Debian package is installed; says on standard output what is skipped when it is not. */
export function hasTool(program: string, suite: string, debianPackage: string): boolean {
  try {
    execFileSync('which', [program], { stdio: 'ignore' });
    return true;
  } catch {
    process.stdout.write(`SKIPPED: ${suite} needs ${program} (apt-get install ${debianPackage})\n`);
    return false;
  }
}
