import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { formatOrigin, fromPlain, nodeAt, originAt } from './config-node.ts';
import { formatProblem } from './config-problem.ts';
import { configLeaves, environmentName } from './leaves.ts';
import { type ConfigSources, loadConfig } from './load-config.ts';
import { parseConfig } from './parse-config.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'portolan-config-'));
});
afterEach(() => rm(folder, { recursive: true }));

function sources(more: Partial<ConfigSources> = {}): ConfigSources {
  return { workingDir: folder, environment: {}, flags: [], sets: [], ...more };
}

const variable = (expression: string) => `\${${expression}}`;
const write = (name: string, text: string) => writeFile(join(folder, name), text);

async function problemsOf(yaml: string, more: Partial<ConfigSources> = {}): Promise<string[]> {
  await write('portolan.yaml', yaml);
  return (await loadConfig(sources(more))).problems.map(formatProblem);
}

it('is complete without any file', async () => {
  const { config, problems } = await loadConfig(sources());
  expect(problems).toEqual([]);
  expect(config?.control.listen).toEqual({ host: '127.0.0.1', port: 8500 });
  expect(config?.registry.leases.default).toEqual({ heartbeat: 30_000, ttl: 90_000 });
});

it('lets the later word win: file, file of the environment, environment, flag', async () => {
  await write(
    'portolan.yaml',
    'log: {level: debug}\ngateway: {listen: "127.0.0.1:1"}\nshutdown: {timeout: 1s}\ncontrol: {listen: "127.0.0.1:1"}\n',
  );
  await write(
    'portolan.prod.yaml',
    'gateway: {listen: "127.0.0.1:2"}\nshutdown: {timeout: 2s}\ncontrol: {listen: "127.0.0.1:2"}\n',
  );
  const { config, merged } = await loadConfig(
    sources({
      environment: {
        PORTOLAN_ENV: 'prod',
        PORTOLAN_SHUTDOWN_TIMEOUT: '3s',
        PORTOLAN_CONTROL: '127.0.0.1:3',
      },
      flags: [{ flag: '--control', path: ['control', 'listen'], text: '127.0.0.1:4' }],
    }),
  );
  expect(config?.log.level).toBe('debug');
  expect(config?.gateway.listen.port).toBe(2);
  expect(config?.shutdown.timeout).toBe(3_000);
  expect(config?.control.listen.port).toBe(4);
  const from = (...path: string[]) => formatOrigin(originAt(merged, path));
  expect(from('log', 'level')).toBe('portolan.yaml:1:14');
  expect(from('gateway', 'listen')).toBe('portolan.prod.yaml:1:19');
  expect(from('shutdown', 'timeout')).toBe('PORTOLAN_SHUTDOWN_TIMEOUT');
  expect(from('control', 'listen')).toBe('--control');
  expect(from('role')).toBe('default');
});

it('reports every problem at once, each with its place', async () => {
  expect(
    await problemsOf(
      'control:\n  listem: 127.0.0.1:1\ngateway:\n  listen: nowhere\n  timeouts:\n    connect: fast\nlog:\n  level: loud\n',
    ),
  ).toEqual([
    'portolan.yaml:2:3: control.listem: no such setting; did you mean "listen"?',
    'portolan.yaml:4:11: gateway.listen: expected HOST:PORT such as "127.0.0.1:8500", "[::1]:8500" or ":8500" for every address, found "nowhere"',
    'portolan.yaml:6:14: gateway.timeouts.connect: expected a duration such as "10s", "1m30s" or "250ms", or seconds as a number, found "fast"',
    'portolan.yaml:8:10: log.level: expected debug, info, warn, error or silent, found "loud"',
  ]);
});

it('names file, line and variable when an environment variable is missing', async () => {
  expect(await problemsOf(`log:\n  level: ${variable('LEVEL')}\n`)).toEqual([
    'portolan.yaml:2:10: the environment variable LEVEL is not set and has no default',
  ]);
});

it('reads a plain value as what the variable holds, and a quoted one as text', async () => {
  await write(
    'portolan.yaml',
    `registry:\n  checks:\n    fall: ${variable('FALL:-7')}\nstore: {dataDir: "${variable('DIR')}"}\n`,
  );
  const { config } = await loadConfig(sources({ environment: { DIR: '42' } }));
  expect(config?.registry.checks.fall).toBe(7);
  expect(config?.store.dataDir).toBe('42');
});

it('says where YAML is broken', async () => {
  const [first] = await problemsOf('control:\n  listen: "a\n');
  expect(first).toMatch(/^portolan\.yaml:\d+:\d+: not valid YAML: /);
});

it('refuses keys that would reach into every object', async () => {
  const [first] = await problemsOf('services:\n  - __proto__: {a: 1}\n');
  expect(first).toBe('portolan.yaml:2:5: the key "__proto__" is never allowed');
});

it('says that a named file is not there, but does not miss the default one', async () => {
  const { problems } = await loadConfig(sources({ file: 'other.yaml' }));
  expect(problems.map(formatProblem)).toEqual(['other.yaml cannot be read: there is no such file']);
});

it('suggests the setting that --set meant', async () => {
  const { problems } = await loadConfig(sources({ sets: ['log.lvel=debug', 'role'] }));
  expect(problems.map(formatProblem)).toEqual([
    '--set: log.lvel: no such setting; did you mean "log.level"?',
    '--set: role: expected PATH=VALUE, as log.level=debug',
  ]);
});

it('warns of a misspelt variable but not of those that an orchestrator makes', async () => {
  const { warnings, problems } = await loadConfig(
    sources({
      environment: {
        PORTOLAN_LOG_LEVL: 'debug',
        PORTOLAN_PORT_8500_TCP_PROTO: 'tcp',
        PORTOLAN_SERVICE_HOST: '10.0.0.1',
      },
    }),
  );
  expect(problems).toEqual([]);
  expect(warnings[0]).toBe('PORTOLAN_LOG_LEVL is not used; did you mean PORTOLAN_LOG_LEVEL?');
});

describe('layering, for any set of layers', () => {
  const paths = ['role', 'log.level', 'registry.checks.fall', 'network.allow', 'shutdown.timeout'];
  const values: Record<string, readonly unknown[]> = {
    role: ['both', 'registry', 'gateway'],
    'log.level': ['debug', 'info', 'warn'],
    'registry.checks.fall': [1, 2, 3],
    'network.allow': [[], ['10.0.0.0/8'], ['::1']],
    'shutdown.timeout': ['1s', '2s', 3],
  };
  const word = fc
    .constantFrom(...paths)
    .chain((path) =>
      fc.record({ path: fc.constant(path), value: fc.constantFrom(...(values[path] ?? [])) }),
    );

  it('each value is the one of the last layer that says it, and its origin names that layer', () => {
    fc.assert(
      fc.property(fc.array(word, { maxLength: 12 }), (words) => {
        const layers = words.map(({ path, value }, index) =>
          nodeAt(path.split('.'), fromPlain(value, { kind: 'flag', flag: `layer ${index}` })),
        );
        const { config, merged, problems } = parseConfig(layers);
        expect(problems).toEqual([]);
        for (const path of paths) {
          const last = words.findLastIndex((candidate) => candidate.path === path);
          const origin = originAt(merged, path.split('.'));
          expect(formatOrigin(origin)).toBe(last === -1 ? 'default' : `layer ${last}`);
        }
        const level = words.findLast((candidate) => candidate.path === 'log.level');
        expect(config?.log.level).toBe(level?.value ?? 'info');
      }),
    );
  });

  it('merging in one go or one after another gives the same', () => {
    fc.assert(
      fc.property(fc.array(word, { maxLength: 8 }), fc.nat(8), (words, at) => {
        const layers = words.map(({ path, value }) =>
          nodeAt(path.split('.'), fromPlain(value, { kind: 'default' })),
        );
        const whole = parseConfig(layers);
        const split = parseConfig([...layers.slice(0, at), ...layers.slice(at)]);
        expect(split.config).toEqual(whole.config);
      }),
    );
  });
});

it('gives every setting a variable of its own', () => {
  const names = configLeaves().map((leaf) => environmentName(leaf.path));
  expect(new Set(names).size).toBe(names.length);
  expect(names).toContain('PORTOLAN_GATEWAY_TIMEOUTS_CONNECT');
});
