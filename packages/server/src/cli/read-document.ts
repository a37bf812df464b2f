import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { CliError } from './cli-error.ts';
import type { CliContext } from './context.ts';

/** Reads text from a file, or from standard input for `-`. Throws a `CliError`. */
export async function readText(file: string, context: CliContext): Promise<string> {
  try {
    if (file !== '-') return await readFile(resolve(context.cwd, file), 'utf8');
    let text = '';
    for await (const chunk of context.stdin) text += String(chunk);
    return text;
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new CliError(`${file} cannot be read: ${reason}`, { cause });
  }
}

/** Reads one YAML or JSON object from a file, or from standard input for `-`. Throws a `CliError`. */
export async function readDocument(file: string, context: CliContext): Promise<object> {
  const text = await readText(file, context);
  const { parse } = await import('yaml');
  try {
    const body: unknown = parse(text);
    if (typeof body === 'object' && body !== null && !Array.isArray(body)) return body;
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new CliError(`${file} is not YAML or JSON: ${reason}`, { exit: 'usage', cause });
  }
  throw new CliError(`${file} holds no document.`, { exit: 'usage' });
}
