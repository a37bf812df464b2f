import { Agent } from 'node:https';
import type { Authorization } from 'acme-client';

const ANSWER_LIMIT_MS = 30_000;

/** Loaded by those who use it: it brings an HTTP client of its own. */
const load = () => import('acme-client');

/** A certificate with its chain, and its key. */
export interface IssuedCertificate {
  readonly certPem: string;
  readonly keyPem: string;
}

/** Where the key authorisations of HTTP-01 challenges lie while they are asked for (RFC 8555 §8.3). */
export interface ChallengeBoard {
  put(token: string, keyAuthorization: string): Promise<void>;
  remove(token: string): Promise<void>;
}

export interface AcmeOrder {
  readonly directoryUrl: string;
  /** Kept by the caller, so that the account is the same each time. */
  readonly accountKeyPem: string;
  readonly email: string | undefined;
  /** Authorities of the directory's own TLS; absent: the system's. */
  readonly caPem: string | undefined;
  /** Host names, at least one. */
  readonly names: readonly string[];
}

/** Orders a certificate by ACME and proves the names by HTTP-01. Rejects with what the authority says. */
export async function obtainCertificate(
  order: AcmeOrder,
  board: ChallengeBoard,
): Promise<IssuedCertificate> {
  const { directoryUrl, accountKeyPem, email, caPem, names } = order;
  const acme = await load();
  // Whoever orders tries again by itself, later and later, and wants to hear why it has to.
  const { acmeSettings } = acme.axios.defaults as { acmeSettings?: { retryMaxAttempts: number } };
  if (acmeSettings) acmeSettings.retryMaxAttempts = 0;
  acme.axios.defaults.timeout = ANSWER_LIMIT_MS;
  // The library asks through one client for all directories.
  if (caPem !== undefined) acme.axios.defaults.httpsAgent = new Agent({ ca: caPem });
  const client = new acme.Client({ directoryUrl, accountKey: accountKeyPem });
  const key = await acme.crypto.createPrivateEcdsaKey();
  const [, csr] = await acme.crypto.createCsr({ altNames: [...names] }, key);
  const certPem = await client.auto({
    csr,
    ...(email === undefined ? {} : { email }),
    termsOfServiceAgreed: true,
    challengePriority: ['http-01'],
    // The authority asks from where clients do; this machine may not even reach its own public address.
    skipChallengeVerification: true,
    challengeCreateFn: (_authorization, { token }, keyAuthorization) =>
      board.put(token, keyAuthorization),
    challengeRemoveFn: (_authorization, { token }) => board.remove(token),
  });
  return { certPem, keyPem: key.toString() };
}

/** A key for an account. */
export async function newAccountKey(): Promise<string> {
  const acme = await load();
  return (await acme.crypto.createPrivateEcdsaKey()).toString();
}

/** A certificate that nobody trusts, to listen with until there is one. */
export async function placeholderCertificate(name: string): Promise<IssuedCertificate> {
  const acme = await load();
  const authorization = { identifier: { type: 'dns', value: name } };
  const [key, cert] = await acme.crypto.createAlpnCertificate(
    authorization as Authorization,
    'placeholder',
  );
  return { certPem: cert.toString(), keyPem: key.toString() };
}
