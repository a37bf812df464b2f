import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { formatEngineAddress, parseEngineAddress } from './engine-address.ts';

describe('the address of an engine', () => {
  it.each([
    [undefined, {}, 'unix:///var/run/docker.sock'],
    [undefined, { DOCKER_HOST: 'unix:///run/x.sock' }, 'unix:///run/x.sock'],
    ['/run/y.sock', { DOCKER_HOST: 'unix:///run/x.sock' }, 'unix:///run/y.sock'],
    ['tcp://proxy:2375', {}, 'tcp://proxy:2375'],
    ['tcp://10.0.0.5', {}, 'tcp://10.0.0.5:2375'],
    ['tcp://[fd00::5]:99', {}, 'tcp://[fd00::5]:99'],
    ['https://engine', {}, 'https://engine:2376'],
  ])('%s with %o is %s', (setting, environment, expected) => {
    expect(formatEngineAddress(parseEngineAddress(setting, environment))).toBe(expected);
  });

  it('speaks TLS with the files of DOCKER_CERT_PATH when DOCKER_TLS_VERIFY is set', () => {
    const folder = mkdtempSync(join(tmpdir(), 'portolan-docker-certs-'));
    try {
      for (const name of ['ca', 'cert', 'key']) writeFileSync(join(folder, `${name}.pem`), name);
      const environment = { DOCKER_TLS_VERIFY: '1', DOCKER_CERT_PATH: folder };
      expect(parseEngineAddress('tcp://engine', environment)).toEqual({
        kind: 'tcp',
        host: 'engine',
        port: 2376,
        tls: { verify: true, ca: 'ca', cert: 'cert', key: 'key' },
      });
      rmSync(join(folder, 'key.pem'));
      expect(() => parseEngineAddress('tcp://engine', environment)).toThrow(/key\.pem/);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it.each(['ssh://host', 'npipe:////./pipe/docker', 'tcp://host:99999', 'tcp://a b'])(
    'is refused as %s',
    (text) => {
      expect(() => parseEngineAddress(text, {})).toThrow(/expected unix:\/\/\//);
    },
  );
});
