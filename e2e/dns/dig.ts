import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

export interface DigAnswer {
  readonly status: string;
  readonly flags: readonly string[];
  /** Names and data, without time to live and class, in the order of the message. */
  readonly answer: readonly string[];
  readonly authority: readonly string[];
  readonly additional: readonly string[];
  readonly bytes: number;
  readonly text: string;
}

const run = promisify(execFile);

/** Asks a server with `dig`. Of the text that it prints only what a person would look at is read. */
export async function dig(port: number, ...words: readonly string[]): Promise<DigAnswer> {
  const args = [`@127.0.0.1`, '-p', `${port}`, '+tries=1', '+time=5', '+noadflag', ...words];
  const { stdout } = await run('dig', args);
  const section = (name: string): string[] => {
    const body = new RegExp(`^;; ${name} SECTION:\\n([\\s\\S]*?)\\n\\n`, 'm').exec(stdout)?.[1];
    return (body ?? '')
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => line.replace(/^(\S+)\s+\d+\s+IN\s+/, '$1 ').replaceAll('\t', ' '));
  };
  return {
    status: /status: (\w+)/.exec(stdout)?.[1] ?? '',
    flags: (/flags: ([a-z ]*);/.exec(stdout)?.[1] ?? '').split(' '),
    answer: section('ANSWER'),
    authority: section('AUTHORITY'),
    additional: section('ADDITIONAL'),
    bytes: Number(/MSG SIZE\s+rcvd: (\d+)/.exec(stdout)?.[1]),
    text: stdout,
  };
}
