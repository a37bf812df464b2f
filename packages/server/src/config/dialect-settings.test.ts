import { DEFAULT_DNS_OPTIONS } from '@portolan/adapters/dns';
import { DEFAULT_GRPC_OPTIONS } from '@portolan/adapters/grpc';
import { expect, test } from 'vitest';
import { toConfigSources } from './cli-sources.ts';
import { compileDnsOptions, compileGrpcOptions } from './compile-dialects.ts';
import { formatProblem } from './config-problem.ts';
import { loadConfig } from './load-config.ts';

const nowhere = { cwd: '/nonexistent', env: {} };
const load = (flags: Parameters<typeof toConfigSources>[0]) =>
  loadConfig(toConfigSources(flags, nowhere));

test('a dialect is off until a flag asks for it, with an address or without', async () => {
  const plain = (await load({})).config?.dialects;
  expect([plain?.dns.enabled, plain?.grpc.enabled]).toEqual([false, false]);
  const { config } = await load({ dns: true, grpc: '10.0.0.1:7000' });
  expect(config?.dialects.dns).toMatchObject({
    enabled: true,
    listen: { host: '127.0.0.1', port: 8_600 },
  });
  expect(config?.dialects.grpc).toMatchObject({
    enabled: true,
    listen: { host: '10.0.0.1', port: 7_000 },
  });
});

test('what is wrong with a dialect’s settings is said under the name of the setting or the flag', async () => {
  const sets = [
    'dialects.dns.zone=under_score',
    `dialects.dns.aliases=ok.example,${'a'.repeat(64)}`,
    'dialects.dns.udpPayload=100',
    'dialects.grpc.message=1KiB',
  ];
  const { problems } = await load({ dns: 'nowhere', set: sets });
  const text = problems.map(formatProblem).join('\n');
  for (const name of ['dns.zone', 'dns.aliases', 'dns.udpPayload', 'grpc.message', 'dns.listen']) {
    expect(text).toContain(`dialects.${name}`);
  }
  expect(text).toContain('--dns');
});

test('zones are compared in lower case and without a dot at their end', async () => {
  const { config } = await load({ set: ['dialects.dns.zone=Svc.Example.'] });
  expect(config?.dialects.dns.zone).toBe('svc.example');
});

test('the configuration’s defaults are those of the adapters', async () => {
  const { config } = await load({});
  if (!config) throw new Error('there are no problems');
  expect(compileDnsOptions(config)).toEqual(DEFAULT_DNS_OPTIONS);
  expect({ ...DEFAULT_GRPC_OPTIONS, ...compileGrpcOptions(config) }).toEqual(DEFAULT_GRPC_OPTIONS);
});
