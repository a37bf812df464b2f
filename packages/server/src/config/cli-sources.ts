import type { ConfigSources } from './load-config.ts';

/** What commander read of the configuration flags. */
export interface ConfigFlags {
  readonly config?: string;
  readonly dataDir?: string;
  readonly control?: string;
  readonly gateway?: string;
  readonly workers?: string;
  readonly role?: string;
  readonly logLevel?: string;
  /** True where no address was given. */
  readonly dns?: string | true;
  readonly grpc?: string | true;
  /** True without a value. */
  readonly docker?: string | true;
  readonly set?: readonly string[];
}

/** The flags that stand for a setting. */
export const FLAGS = [
  { key: 'role', flag: '--role', path: ['role'] },
  { key: 'dataDir', flag: '--data-dir', path: ['store', 'dataDir'] },
  { key: 'control', flag: '--control', path: ['control', 'listen'] },
  { key: 'gateway', flag: '--gateway', path: ['gateway', 'listen'] },
  { key: 'workers', flag: '--workers', path: ['gateway', 'workers'] },
  { key: 'registry', flag: '--registry', path: ['gateway', 'registry'] },
  { key: 'docker', flag: '--docker', path: ['docker', 'engine'] },
  { key: 'logLevel', flag: '--log-level', path: ['log', 'level'] },
  { key: 'dns', flag: '--dns', path: ['dialects', 'dns', 'listen'] },
  { key: 'grpc', flag: '--grpc', path: ['dialects', 'grpc', 'listen'] },
] as const;

/** What a flag switches on, with or without an address. */
const SWITCHES: Readonly<Record<string, readonly string[]>> = {
  dns: ['dialects', 'dns', 'enabled'],
  grpc: ['dialects', 'grpc', 'enabled'],
};

/** The sources behind a command line. `registry` is given only when a flag names it. */
export function toConfigSources(
  flags: ConfigFlags,
  surroundings: {
    readonly cwd: string;
    readonly env: Readonly<Record<string, string | undefined>>;
    readonly registry?: string | undefined;
  },
): ConfigSources {
  const given = { ...flags, registry: surroundings.registry };
  const named = FLAGS.flatMap(({ key, flag, path }) => {
    const text = given[key];
    if (text === undefined) return [];
    const enables = SWITCHES[key];
    if (text !== true) {
      const on = enables === undefined ? [] : [{ flag, path: enables, text: 'true' }];
      return [...on, { flag, path, text }];
    }
    // Without a value: what the configuration says, or what is found.
    return [
      enables === undefined ? { flag, path, text: 'auto' } : { flag, path: enables, text: 'true' },
    ];
  });
  return {
    workingDir: surroundings.cwd,
    environment: surroundings.env,
    ...(flags.config === undefined ? {} : { file: flags.config }),
    flags: named,
    sets: flags.set ?? [],
  };
}
