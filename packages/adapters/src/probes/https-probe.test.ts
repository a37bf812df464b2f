import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer as createHttpsServer } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createHttpProbe } from './http-probe.ts';
import { Loopback } from './test-probes/loopback.ts';
import { deps, http, live, TARGET } from './test-probes/probe-fixtures.ts';

const openssl = ['/usr/bin/openssl', '/usr/local/bin/openssl'].find(existsSync);
if (!openssl) process.stdout.write('https probe tests skipped: no openssl to make a certificate\n');

describe.skipIf(!openssl)('https probe', () => {
  let folder = '';
  let server: Loopback;
  let names: (string | false | null | undefined)[] = [];

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'portolan-probe-'));
    const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
    const words = 'req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 1';
    await promisify(execFile)(openssl ?? '', [
      ...words.split(' '),
      ...['-subj', '/CN=good.test', '-keyout', key, '-out', cert],
    ]);
    const https = createHttpsServer(
      { key: await readFile(key), cert: await readFile(cert) },
      (_request, reply) => reply.end(),
    );
    https.on('secureConnection', (socket) => names.push(socket.servername));
    server = await Loopback.listen(https);
  });
  afterAll(async () => {
    await server.close();
    await rm(folder, { recursive: true });
  });

  test('refuses a self-signed certificate unless told to skip verification', async () => {
    const probe = createHttpProbe(deps());
    const url = `https://good.test:${server.port}/`;
    expect(await probe.check(TARGET, http(url), live())).toMatchObject({
      status: 'critical',
      output: expect.stringContaining('self-signed'),
    });
    names = [];
    expect(await probe.check(TARGET, http(url, { skipTlsVerify: true }), live())).toMatchObject({
      status: 'passing',
    });
    expect(names).toEqual(['good.test']);
    await server.untilReleased();
  });
});
