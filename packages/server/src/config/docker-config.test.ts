import { tmpdir } from 'node:os';
import { describe, expect, it } from 'vitest';
import { type ConfigFlags, toConfigSources } from './cli-sources.ts';
import { formatProblem } from './config-problem.ts';
import { loadConfig } from './load-config.ts';

async function load(flags: ConfigFlags, environment: Readonly<Record<string, string>> = {}) {
  // A folder without a configuration file.
  const sources = toConfigSources(flags, { cwd: `${tmpdir()}/nowhere`, env: environment });
  const { config, problems } = await loadConfig(sources);
  return { engine: config?.docker.engine, problems: problems.map(formatProblem) };
}

describe('docker.engine', () => {
  it.each([
    ['nothing at all', {}, {}, undefined],
    ['--docker without a value', { docker: true }, {}, 'auto'],
    ['--docker with one', { docker: 'unix:///run/x.sock' }, {}, 'unix:///run/x.sock'],
    ['PORTOLAN_DOCKER=true', {}, { PORTOLAN_DOCKER: 'true' }, 'auto'],
    ['PORTOLAN_DOCKER with an address', {}, { PORTOLAN_DOCKER: 'tcp://p:2375' }, 'tcp://p:2375'],
    ['a flag over the environment', { docker: 'off' }, { PORTOLAN_DOCKER: 'auto' }, undefined],
    ['another setting of the section alone', {}, { PORTOLAN_DOCKER_NAMESPACE: 'x' }, undefined],
  ] as const)('by %s', async (_what, flags, environment, expected) => {
    expect(await load(flags, environment)).toEqual({ engine: expected, problems: [] });
  });

  it('is refused where it is no address, with what was expected', async () => {
    expect((await load({ docker: 'ssh://host' })).problems).toEqual([
      '--docker: docker.engine: expected auto, off, unix:///PATH, tcp://HOST:PORT or https://HOST:PORT, found "ssh://host"',
    ]);
  });

  it('is refused where there is no registry to bring containers into', async () => {
    const { problems } = await load({ role: 'gateway', docker: true });
    expect(problems).toHaveLength(1);
    expect(problems[0]).toContain('role gateway has no registry to bring containers into');
  });
});
