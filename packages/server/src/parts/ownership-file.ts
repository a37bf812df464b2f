import { readFile, rename, writeFile } from 'node:fs/promises';
import type { Route, TrafficPolicy } from '@portolan/core';

/** What the configuration wrote into the registry when it was last applied. */
export interface Ownership {
  /** By `namespace/name`, as written. */
  readonly routes: Readonly<Record<string, Route>>;
  /** By the service's id, as written. */
  readonly policies: Readonly<Record<string, TrafficPolicy>>;
  /** `namespace/id`. */
  readonly instances: readonly string[];
}

const NOTHING: Ownership = { routes: {}, policies: {}, instances: [] };

/** Nothing when there is no such file. */
export async function readOwnership(path: string): Promise<Ownership> {
  try {
    const read = JSON.parse(await readFile(path, 'utf8')) as Partial<Ownership>;
    return {
      routes: read.routes ?? {},
      policies: read.policies ?? {},
      instances: read.instances ?? [],
    };
  } catch (error) {
    // Without it the configuration owns nothing: it then takes nothing away, which is safe.
    if (error instanceof SyntaxError || (error as NodeJS.ErrnoException).code === 'ENOENT') {
      return NOTHING;
    }
    throw error;
  }
}

/** A reader sees the old file or the new one. */
export async function writeOwnership(path: string, ownership: Ownership): Promise<void> {
  const aside = `${path}.tmp`;
  await writeFile(aside, JSON.stringify(ownership), { mode: 0o600 });
  await rename(aside, path);
}
