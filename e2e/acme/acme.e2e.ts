import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import type { X509Certificate } from 'node:crypto';
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { TestAuthority } from '@portolan/testing/certificates/test-authority';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { type PortolanProcess, startPortolan } from '../support/portolan-process.ts';
import { call } from '../support/registry-api.ts';
import { startUpstream, type UpstreamService } from '../support/upstream-service.ts';
import { startDnsServer } from './dns-server.ts';

function hasPebble(): boolean {
  try {
    execFileSync('which', ['pebble'], { stdio: 'ignore' });
    return true;
  } catch {
    process.stdout.write(
      'SKIPPED: e2e/acme needs the ACME test server pebble (apt-get install pebble)\n',
    );
    return false;
  }
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return address !== null && typeof address === 'object' ? address.port : 0;
}

describe.runIf(hasPebble())('an HTTPS listener with a certificate by ACME', () => {
  let folder: string;
  let plainPort: number;
  let directory: string;
  let pebble: ChildProcess;
  let upstream: UpstreamService;
  let dns: { readonly port: number; close(): void };
  let running: PortolanProcess | undefined;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'portolan-acme-'));
    upstream = await startUpstream('one');
    dns = await startDnsServer();
    plainPort = await freePort();
    const authority = await TestAuthority.create();
    const own = await authority.issue({ names: ['localhost'] });
    await writeFile(join(folder, 'authority.pem'), authority.certPem);
    await writeFile(join(folder, 'pebble.crt'), own.certPem);
    await writeFile(join(folder, 'pebble.key'), own.keyPem);
    const [port, management] = [await freePort(), await freePort()];
    const config = {
      pebble: {
        listenAddress: `127.0.0.1:${port}`,
        managementListenAddress: `127.0.0.1:${management}`,
        certificate: join(folder, 'pebble.crt'),
        privateKey: join(folder, 'pebble.key'),
        httpPort: plainPort,
        tlsPort: 1,
        externalAccountBindingRequired: false,
        domainBlocklist: ['refused.example'],
        // Older and newer ones are told in their own ways.
        certificateValidityPeriod: 1_000_000,
        profiles: { default: { description: 'short', validityPeriod: 1_000_000 } },
      },
    };
    await writeFile(join(folder, 'pebble.json'), JSON.stringify(config));
    const args = ['-config', join(folder, 'pebble.json'), '-dnsserver', `127.0.0.1:${dns.port}`];
    pebble = spawn('pebble', args, { env: { ...process.env, PEBBLE_VA_NOSLEEP: '1' } });
    let said = '';
    for (const stream of [pebble.stdout, pebble.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        said += text;
      });
    }
    await eventually(() => (said.includes('ACME directory available') ? true : undefined));
    directory = `https://localhost:${port}/dir`;
  });

  afterEach(async () => {
    await running?.dispose();
    running = undefined;
  });

  afterAll(async () => {
    pebble?.kill('SIGKILL');
    dns?.close();
    await upstream?.stop('SIGKILL');
    await rm(folder, { recursive: true });
  });

  async function start(
    workers: number,
    name: string,
    renewBefore = '1h',
  ): Promise<PortolanProcess> {
    const lines = [
      'gateway:',
      `  listen: 127.0.0.1:${plainPort}`,
      '  listeners:',
      '    - name: public',
      '      protocol: https',
      '      listen: "127.0.0.1:0"',
      '      acme:',
      `        domains: [${name}, www.${name}]`,
      '        email: ops@shop.example',
      `        directory: ${directory}`,
      `        caFile: ${folder}/authority.pem`,
      `        renewBefore: ${renewBefore}`,
      `services: [{service: web, address: 127.0.0.1, port: ${upstream.port}}]`,
    ];
    await writeFile(join(folder, 'portolan.yaml'), `${lines.join('\n')}\n`);
    running = await startPortolan({
      dataDir: join(folder, `data-${name}`),
      cwd: folder,
      args: ['--gateway', `127.0.0.1:${plainPort}`, '--workers', String(workers)],
    });
    return running;
  }

  async function shown(portolan: PortolanProcess, name: string): Promise<X509Certificate> {
    const { body } = await call(portolan.control, 'GET', '/api/v1/status');
    const port = Number(new URL(body.listeners.more.public).port);
    return new Promise((resolve, reject) => {
      const socket = connect({
        port,
        host: '127.0.0.1',
        servername: name,
        rejectUnauthorized: false,
      });
      socket.on('error', reject);
      socket.on('secureConnect', () => {
        const certificate = socket.getPeerX509Certificate();
        socket.destroy();
        if (certificate) resolve(certificate);
        else reject(new Error('no certificate'));
      });
    });
  }

  test.each([1, 2])(
    'gets it while it runs, proves its names on the plain port, and keeps it, with %i processes',
    async (workers) => {
      const name = `shop${workers}.example`;
      const portolan = await start(workers, name);
      expect((await fetch(`${portolan.gateway}/web/`)).status).toBe(200);
      const issued = await eventually(async () => {
        const all = await Promise.all(Array.from({ length: 8 }, () => shown(portolan, name)));
        return all.every(({ issuer }) => issuer.includes('Pebble')) ? all[0] : undefined;
      }, 30_000);
      expect(issued?.checkHost(`www.${name}`)).toBeDefined();
      const key = await stat(join(folder, `data-${name}`, 'acme', 'public.key'));
      expect(key.mode & 0o777).toBe(0o600);
      // Tokens that are not ours go the way of every request.
      const other = `${portolan.gateway}/.well-known/acme-challenge/of-somebody-else`;
      expect((await fetch(other)).status).toBe(404);
      expect(await portolan.stop('SIGTERM')).toEqual({ code: 0, signal: null });
      const again = await start(workers, name);
      expect((await shown(again, name)).fingerprint256).toBe(issued?.fingerprint256);
      expect(again.stderr()).not.toContain('a certificate was issued');
      await again.dispose();
      // It ends within twelve days: to be renewed while the old one is in force.
      const renewing = await start(workers, name, '500h');
      await eventually(async () => {
        const { issuer, fingerprint256 } = await shown(renewing, name);
        expect(issuer).toContain('Pebble');
        return fingerprint256 === issued?.fingerprint256 ? undefined : true;
      }, 30_000);
      await renewing.dispose();
    },
    90_000,
  );

  test('that is refused listens all the same, and says why', async () => {
    const portolan = await start(1, 'refused.example');
    await eventually(() =>
      portolan.stderr().includes('no certificate was issued') ? true : undefined,
    );
    expect(portolan.stderr()).toMatch(/blocklist|policy|rejected/i);
    expect((await shown(portolan, 'refused.example')).issuer).not.toContain('Pebble');
    expect((await fetch(`${portolan.gateway}/web/`)).status).toBe(200);
    expect(await portolan.stop('SIGTERM')).toEqual({ code: 0, signal: null });
  });
});
