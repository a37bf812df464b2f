import { X509Certificate } from 'node:crypto';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ChallengeBoard, IssuedCertificate } from '@portolan/adapters';

/** The files of a listener's certificate, which every gateway process reads. */
export interface CertificateFiles {
  readonly certFile: string;
  readonly keyFile: string;
}

/** Where certificates by ACME are kept: under the data folder, readable by the server's user only. */
export function acmeFolder(dataDir: string): string {
  return join(dataDir, 'acme');
}

export function certificateFiles(dataDir: string, listener: string): CertificateFiles {
  const folder = acmeFolder(dataDir);
  return { certFile: join(folder, `${listener}.crt`), keyFile: join(folder, `${listener}.key`) };
}

/** Files by token, so that every process of the gateway finds what one of them ordered. */
export function createChallengeFiles(
  dataDir: string,
): ChallengeBoard & { find(token: string): Promise<string | undefined> } {
  const folder = join(acmeFolder(dataDir), 'challenges');
  return {
    async put(token, keyAuthorization) {
      await mkdir(folder, { recursive: true, mode: 0o700 });
      await writeWhole(join(folder, token), keyAuthorization);
    },
    async remove(token) {
      await rm(join(folder, token), { force: true });
    },
    find: (token) => readIfThere(join(folder, token)),
  };
}

/** Writes key and certificate, each whole or not at all; the key first, since a certificate without its key cannot be used. */
export async function keepCertificate(
  { certFile, keyFile }: CertificateFiles,
  { certPem, keyPem }: IssuedCertificate,
): Promise<void> {
  await writeWhole(keyFile, keyPem);
  await writeWhole(certFile, certPem);
}

/** Milliseconds of the epoch at which the certificate in the file ends, 0 for one that is missing or nobody's but ours. */
export async function endOfCertificate(
  { certFile }: CertificateFiles,
  names: readonly string[],
): Promise<number> {
  const pem = await readIfThere(certFile);
  if (pem === undefined) return 0;
  const certificate = new X509Certificate(pem);
  const isOwn = certificate.issuer === certificate.subject;
  const covers = names.every((name) => certificate.checkHost(name) !== undefined);
  return isOwn || !covers ? 0 : Date.parse(certificate.validTo);
}

export async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

export async function writeWhole(path: string, text: string): Promise<void> {
  await writeFile(`${path}.new`, text, { mode: 0o600 });
  await rename(`${path}.new`, path);
}
