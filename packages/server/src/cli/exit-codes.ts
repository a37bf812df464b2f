/** What the process's exit code says. The one table; documentation and help are generated from it. */
export const EXIT_CODES = {
  ok: { code: 0, meaning: 'done' },
  failure: { code: 1, meaning: 'failed for another reason than those below' },
  usage: { code: 2, meaning: 'the command line is not understood' },
  notFound: { code: 3, meaning: 'the instance, service, route or namespace does not exist' },
  conflict: { code: 4, meaning: 'it exists already, or was changed meanwhile' },
  unreachable: { code: 5, meaning: 'no registry answered' },
  config: { code: 78, meaning: 'the configuration, or the version of Node, is not usable' },
} as const;

export type ExitName = keyof typeof EXIT_CODES;
