// Wanted by the one after it.
import 'reflect-metadata';
import { webcrypto } from 'node:crypto';
import { isIP } from 'node:net';
import {
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  PemConverter,
  SubjectAlternativeNameExtension,
  X509CertificateGenerator,
} from '@peculiar/x509';

const KEY = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;
const DAY_MS = 86_400_000;

/** A certificate and its private key, both as PEM. */
export interface TestCertificate {
  readonly certPem: string;
  readonly keyPem: string;
}

export interface TestCertificateOptions {
  /** Host names and IP addresses; the first is the subject's name as well. */
  readonly names: readonly string[];
  /** Default 1; 0 or less makes one that is over already. */
  readonly days?: number;
}

/** A certificate authority for tests, made in memory. */
export class TestAuthority {
  readonly certPem: string;
  readonly #name: string;
  readonly #keys: webcrypto.CryptoKeyPair;
  #serial = 1;

  private constructor(name: string, keys: webcrypto.CryptoKeyPair, certPem: string) {
    this.#name = name;
    this.#keys = keys;
    this.certPem = certPem;
  }

  static async create(name = 'Test authority'): Promise<TestAuthority> {
    const keys = await newKeys();
    const certificate = await X509CertificateGenerator.createSelfSigned({
      serialNumber: '01',
      name: `CN=${name}`,
      notBefore: new Date(Date.now() - DAY_MS),
      notAfter: new Date(Date.now() + DAY_MS),
      signingAlgorithm: KEY,
      keys,
      extensions: [
        new BasicConstraintsExtension(true, undefined, true),
        new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
      ],
    });
    return new TestAuthority(name, keys, certificate.toString('pem'));
  }

  /** Signs a certificate that servers and clients may both show. */
  async issue(options: TestCertificateOptions): Promise<TestCertificate> {
    const keys = await newKeys();
    const endMs = Date.now() + (options.days ?? 1) * DAY_MS;
    const certificate = await X509CertificateGenerator.create({
      serialNumber: (++this.#serial).toString(16).padStart(4, '0'),
      subject: `CN=${options.names[0] ?? 'nobody'}`,
      issuer: `CN=${this.#name}`,
      notBefore: new Date(endMs - 2 * DAY_MS),
      notAfter: new Date(endMs),
      signingAlgorithm: KEY,
      publicKey: keys.publicKey,
      signingKey: this.#keys.privateKey,
      extensions: [
        new BasicConstraintsExtension(false, undefined, true),
        new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth, ExtendedKeyUsage.clientAuth]),
        new SubjectAlternativeNameExtension(
          options.names.map((value) => ({ type: isIP(value) === 0 ? 'dns' : 'ip', value })),
        ),
      ],
    });
    const key = await webcrypto.subtle.exportKey('pkcs8', keys.privateKey);
    return {
      certPem: certificate.toString('pem'),
      keyPem: PemConverter.encode(key, 'PRIVATE KEY'),
    };
  }
}

async function newKeys(): Promise<webcrypto.CryptoKeyPair> {
  return webcrypto.subtle.generateKey(KEY, true, ['sign', 'verify']);
}
