import { readFile } from 'node:fs/promises';
import type { NacosParts } from '@portolan/adapters/nacos';
import type { Registry } from '@portolan/core';
import { StartError } from '../lifecycle/start-error.ts';
import type { ServerContext } from './server-context.ts';

const made = new WeakMap<Registry, Promise<NacosParts>>();

/** What Nacos over HTTP and over gRPC share; made for the first of them, and ended with the server. */
export function nacosParts(
  context: ServerContext,
  { registry }: { readonly registry: Registry },
): Promise<NacosParts> {
  let parts = made.get(registry);
  if (!parts) {
    parts = make(context, registry);
    made.set(registry, parts);
  }
  return parts;
}

async function make(context: ServerContext, registry: Registry): Promise<NacosParts> {
  const { createNacosParts } = await import('@portolan/adapters/nacos');
  const { namespace, userFile } = context.config.dialects.nacos;
  const users = userFile === undefined ? undefined : await readUsers(userFile);
  const ending = new AbortController();
  context.stack.push('nacos pushes', async () => ending.abort());
  return createNacosParts(
    { namespace, ...(users === undefined ? {} : { users }) },
    {
      registry,
      clock: context.clock,
      logger: context.logger.child({ component: 'nacos' }),
      signal: ending.signal,
    },
  );
}

async function readUsers(path: string): Promise<ReadonlyMap<string, string>> {
  const { parseUserFile } = await import('@portolan/adapters/nacos');
  try {
    return parseUserFile(await readFile(path, 'utf8'));
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new StartError(`dialects.nacos.userFile ${path} cannot be used: ${why}`);
  }
}
