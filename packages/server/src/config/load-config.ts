import { readFile } from 'node:fs/promises';
import { basename, dirname, extname, join, resolve } from 'node:path';
import { type ConfigNode, originAt } from './config-node.ts';
import type { ConfigProblem } from './config-problem.ts';
import { type ParsedConfig, parseConfig } from './parse-config.ts';
import { type ConfigDocuments, parseDocuments } from './parse-documents.ts';
import type { PortolanConfig } from './schema.ts';
import { environmentLayer, flagLayer } from './text-layers.ts';
import { parseYamlLayer } from './yaml-layer.ts';

/** Everything that decides the configuration, so that a reload asks the same again. */
export interface ConfigSources {
  readonly workingDir: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** `--config`; absent: `portolan.yaml` in the working folder, if it is there. */
  readonly file?: string;
  /** Flags that stand for one setting. */
  readonly flags: readonly {
    readonly flag: string;
    readonly path: readonly string[];
    readonly text: string;
  }[];
  /** `--set path=value`. */
  readonly sets: readonly string[];
}

export interface LoadedConfig extends ParsedConfig {
  /** `services` and `routes`, checked. Empty when there are problems. */
  readonly documents: ConfigDocuments;
  /** Absolute paths of the files read, also of those that were not there and may appear. */
  readonly files: readonly { readonly path: string; readonly present: boolean }[];
  readonly warnings: readonly string[];
}

/** Reads files, environment and flags, later ones over earlier ones. Problems are collected, not thrown. */
export async function loadConfig(sources: ConfigSources): Promise<LoadedConfig> {
  const problems: ConfigProblem[] = [];
  const layers: ConfigNode[] = [];
  const files: { path: string; present: boolean }[] = [];

  for (const { path, required } of configFiles(sources)) {
    const shown = path.startsWith(`${sources.workingDir}/`)
      ? path.slice(sources.workingDir.length + 1)
      : path;
    const read = await readText(path);
    files.push({ path, present: read.text !== undefined });
    if (read.text !== undefined) {
      const options = { file: shown, environment: sources.environment };
      const { layer, problems: found } = parseYamlLayer(read.text, options);
      layers.push(layer);
      problems.push(...found);
    } else if (required || read.code !== 'ENOENT') {
      const message = `${shown} cannot be read: ${read.code === 'ENOENT' ? 'there is no such file' : read.code}`;
      problems.push({ origin: { kind: 'default' }, path: '', message });
    }
  }

  const environment = environmentLayer(sources.environment);
  const flags = flagLayer(sources.flags, sources.sets);
  const parsed = parseConfig([...layers, environment.layer, flags.layer]);
  const { config, merged } = parsed;
  const read = config
    ? await parseDocuments(config, merged)
    : { documents: { services: [], routes: [], policies: [] }, problems: [] };
  const all = [
    ...problems,
    ...environment.problems,
    ...flags.problems,
    ...parsed.problems,
    ...(config ? findContradictions(config, merged) : []),
    ...read.problems,
  ];
  return {
    merged,
    documents: read.documents,
    ...(config && all.length === 0 ? { config } : {}),
    problems: all,
    files,
    warnings: environment.warnings,
  };
}

/** The files that are read, in this order, by their absolute paths; one that is not required may be absent. */
export function configFiles(
  sources: ConfigSources,
): readonly { readonly path: string; readonly required: boolean }[] {
  const named = sources.file ?? sources.environment.PORTOLAN_CONFIG;
  const main = resolve(sources.workingDir, named ?? 'portolan.yaml');
  const environmentName = sources.environment.PORTOLAN_ENV;
  return [
    { path: main, required: named !== undefined },
    ...(environmentName ? [{ path: environmentFile(main, environmentName), required: false }] : []),
  ];
}

/** What no setting says wrong by itself. */
function findContradictions(config: PortolanConfig, merged: ConfigNode): ConfigProblem[] {
  if (config.role !== 'gateway') return [];
  if (config.docker.engine !== undefined) {
    const path = 'docker.engine';
    const message =
      'role gateway has no registry to bring containers into: give it to the registry';
    return [{ origin: originAt(merged, ['docker', 'engine']), path, message }];
  }
  if (config.gateway.registry !== undefined) return [];
  const message = 'role gateway needs the registry to follow, as --registry http://HOST:8500';
  return [{ origin: originAt(merged, ['role']), path: 'gateway.registry', message }];
}

/** `portolan.yaml` and `prod` make `portolan.prod.yaml`. */
function environmentFile(main: string, name: string): string {
  const extension = extname(main);
  return join(dirname(main), `${basename(main, extension)}.${name}${extension}`);
}

async function readText(path: string): Promise<{ text?: string; code?: string }> {
  try {
    return { text: await readFile(path, 'utf8') };
  } catch (error) {
    return { code: (error as NodeJS.ErrnoException).code ?? String(error) };
  }
}
