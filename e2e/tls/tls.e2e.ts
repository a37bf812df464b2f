import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { Agent, request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { TestAuthority } from '@portolan/testing/certificates/test-authority';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { type PortolanProcess, runPortolan, startPortolan } from '../support/portolan-process.ts';
import { call } from '../support/registry-api.ts';
import { startUpstream, type UpstreamService } from '../support/upstream-service.ts';

let folder: string;
let upstream: UpstreamService;
let authority: TestAuthority;
let portolan: PortolanProcess | undefined;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'portolan-tls-'));
  upstream = await startUpstream('one');
  authority = await TestAuthority.create();
});

afterEach(async () => {
  await portolan?.dispose();
  portolan = undefined;
  await upstream.stop('SIGKILL');
  await rm(folder, { recursive: true });
});

async function writeCertificate(name: string, names: readonly string[]): Promise<void> {
  const { certPem, keyPem } = await authority.issue({ names });
  await writeFile(join(folder, `${name}.crt`), certPem);
  await writeFile(join(folder, `${name}.key`), keyPem);
}

const certificate = (name: string) =>
  `{certFile: ${join(folder, name)}.crt, keyFile: ${join(folder, name)}.key}`;

async function start(more: readonly string[]): Promise<PortolanProcess & { httpsPort: number }> {
  const lines = [
    'gateway:',
    '  listeners:',
    '    - name: public',
    '      protocol: https',
    '      listen: "127.0.0.1:0"',
    ...more.map((line) => `      ${line}`),
    'services:',
    `  - {service: web, address: 127.0.0.1, port: ${upstream.port}}`,
  ];
  await writeFile(join(folder, 'portolan.yaml'), `${lines.join('\n')}\n`);
  portolan = await startPortolan({ dataDir: join(folder, 'data'), cwd: folder });
  const { body } = await call(portolan.control, 'GET', '/api/v1/status');
  return { ...portolan, httpsPort: Number(new URL(body.listeners.more.public).port) };
}

/** One request on a connection of the agent's; the body, or the error's code. */
function ask(
  port: number,
  servername: string,
  over: { agent?: Agent; cert?: string; key?: string; ca?: string; path?: string } = {},
): Promise<string> {
  return new Promise((resolve) => {
    const sent = request(
      {
        host: '127.0.0.1',
        port,
        path: '/web/',
        servername,
        ca: authority.certPem,
        headers: { host: servername },
        ...(over.agent ? {} : { agent: false }),
        ...over,
      },
      (answer) => {
        let text = '';
        answer.on('data', (piece) => {
          text += piece;
        });
        answer.on('end', () => resolve(`${answer.statusCode} ${text}`));
      },
    );
    sent.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? 'error'));
    sent.end();
  });
}

test('each server name has its certificate, and renewed ones are taken at a reload without a failed request', async () => {
  await writeCertificate('shop', ['shop.example']);
  await writeCertificate('api', ['*.api.example']);
  const { httpsPort, child, stderr } = await start([
    `certificates: [${certificate('shop')}, ${certificate('api')}]`,
  ]);
  expect(await ask(httpsPort, 'shop.example')).toContain('200 one ');
  expect(await ask(httpsPort, 'v1.api.example')).toContain('200 one ');
  expect(await ask(httpsPort, 'new.example')).toBe('ERR_TLS_CERT_ALTNAME_INVALID');
  const kept = new Agent({ keepAlive: true, maxSockets: 1 });
  expect(await ask(httpsPort, 'shop.example', { agent: kept })).toContain('200');
  await writeCertificate('shop', ['shop.example', 'new.example']);
  child.kill('SIGHUP');
  await eventually(async () => {
    const answer = await ask(httpsPort, 'new.example');
    return answer.startsWith('200') || undefined;
  });
  expect(await ask(httpsPort, 'shop.example', { agent: kept })).toContain('200');
  kept.destroy();
  await writeFile(join(folder, 'shop.key'), 'broken');
  child.kill('SIGHUP');
  await eventually(() => stderr().includes('the ones before stay in force') || undefined);
  expect(await ask(httpsPort, 'new.example')).toContain('200 one ');
});

test('only clients with a certificate of the authority get in where that is required', async () => {
  await writeCertificate('shop', ['shop.example']);
  await writeFile(join(folder, 'ca.crt'), authority.certPem);
  const { httpsPort } = await start([
    `certificates: [${certificate('shop')}]`,
    'clientAuth: require',
    `clientCaFile: ${join(folder, 'ca.crt')}`,
  ]);
  expect(await ask(httpsPort, 'shop.example')).not.toContain('200');
  const stranger = await TestAuthority.create('Stranger');
  const forged = await stranger.issue({ names: ['alice'] });
  const shown = { cert: forged.certPem, key: forged.keyPem };
  expect(await ask(httpsPort, 'shop.example', shown)).not.toContain('200');
  const alice = await authority.issue({ names: ['alice'] });
  const known = { cert: alice.certPem, key: alice.keyPem };
  expect(await ask(httpsPort, 'shop.example', known)).toContain('200 one ');
  const told = await ask(httpsPort, 'shop.example', { ...known, path: '/web/headers' });
  expect(told).toMatch(/"X-Forwarded-Client-Cert","Hash=[0-9a-f]{64};Subject=\\"CN=alice\\""/);
});

test.each([
  ['a missing file', (crt: string) => rm(crt), /certificate of the gateway cannot be read/],
  [
    'a file of something else',
    (crt: string) => writeFile(crt, 'x'),
    /certificate 1 cannot be used/,
  ],
])('%s refuses to start, in words', async (_what, damage, said) => {
  await writeCertificate('shop', ['shop.example']);
  await damage(join(folder, 'shop.crt'));
  const yaml = `gateway: {listeners: [{name: public, protocol: https, listen: "127.0.0.1:0", certificates: [${certificate('shop')}]}]}\n`;
  await writeFile(join(folder, 'portolan.yaml'), yaml);
  const { code, stderr } = await runPortolan(
    [
      'serve',
      '--control',
      '127.0.0.1:0',
      '--gateway',
      '127.0.0.1:0',
      '--data-dir',
      join(folder, 'd'),
    ],
    { cwd: folder },
  );
  expect(code).not.toBe(0);
  expect(stderr).toMatch(said);
});
