import type { RegistrationBody } from '@portolan/client';
import { CliError } from '../cli-error.ts';
import type { CliContext } from '../context.ts';
import { readDocument } from '../read-document.ts';

/** A registration as a file has it: the address may be left to the agent. */
export type FileRegistration = Omit<RegistrationBody, 'address'> & { readonly address?: string };

/**
 * The instances that a file lists, each a body of the API's registration. What the registry would judge is left to the registry;
 * here only what a list needs: a service, a port and an id of its own. Throws a `CliError` with every problem.
 */
export async function readAgentFile(
  file: string,
  context: CliContext,
): Promise<readonly FileRegistration[]> {
  const document = (await readDocument(file, context)) as Record<string, unknown>;
  const problems: string[] = [];
  for (const key of Object.keys(document)) {
    if (key !== 'instances') problems.push(`${key}: only "instances" is known here`);
  }
  const { instances } = document;
  if (!Array.isArray(instances) || instances.length === 0) {
    problems.push('instances: expected a list with at least one registration');
  } else {
    const seen = new Map<string, number>();
    for (const [at, item] of instances.entries()) {
      const problem = problemOf(item);
      if (problem !== undefined) {
        problems.push(`instances[${at}]${problem}`);
        continue;
      }
      const key = keyOf(item as FileRegistration);
      const before = seen.get(key);
      if (before !== undefined)
        problems.push(`instances[${at}]: the same instance as instances[${before}]`);
      seen.set(key, at);
    }
  }
  if (problems.length > 0) {
    throw new CliError(`${file} is not a list of instances.`, { exit: 'usage', hints: problems });
  }
  return instances as readonly FileRegistration[];
}

function problemOf(item: unknown): string | undefined {
  if (typeof item !== 'object' || item === null || Array.isArray(item)) {
    return ': expected a registration';
  }
  const { service, port } = item as Record<string, unknown>;
  if (typeof service !== 'string' || service === '') return '.service: expected a name';
  if (!Number.isInteger(port)) return '.port: expected a port';
  return undefined;
}

/** What tells instances apart before the agent knows the address. */
export function keyOf(item: FileRegistration): string {
  const id = item.id ?? `${item.service}-${item.address ?? ''}-${item.port}`;
  return `${item.namespace ?? ''}/${id}`;
}
