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
/** Wide enough for every test, so that no clock is needed. */
const NOT_BEFORE = new Date('2020-01-01T00:00:00Z');
const NOT_AFTER = new Date('2049-12-31T00:00:00Z');

/** A certificate and its private key, both as PEM. */
export interface TestCertificate {
  readonly certPem: string;
  readonly keyPem: string;
}

export interface TestCertificateOptions {
  /** Host names and IP addresses; the first is the subject's name as well. */
  readonly names: readonly string[];
  /** Default the end of 2049. */
  readonly notAfter?: Date;
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
      notBefore: NOT_BEFORE,
      notAfter: NOT_AFTER,
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
    const certificate = await X509CertificateGenerator.create({
      serialNumber: (++this.#serial).toString(16).padStart(4, '0'),
      subject: `CN=${options.names[0] ?? 'nobody'}`,
      issuer: `CN=${this.#name}`,
      notBefore: NOT_BEFORE,
      notAfter: options.notAfter ?? NOT_AFTER,
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
