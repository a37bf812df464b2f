import { createHash, createPrivateKey, X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import {
  createSecureContext,
  getCACertificates,
  rootCertificates,
  type SecureContext,
} from 'node:tls';

export interface UpstreamTlsOptions {
  /** Sent as SNI and looked for in the certificate. Absent: no SNI, and the certificate has to name the IP address. */
  readonly serverName?: string;
  /** Authorities to trust in place of the system's. */
  readonly caPem?: string;
  /** Our own certificate and its key, where the upstream asks for one. */
  readonly certPem?: string;
  readonly keyPem?: string;
  /** Default true; false takes any certificate from anybody. */
  readonly verify?: boolean;
  /** Default TLSv1.2. */
  readonly minVersion?: 'TLSv1.2' | 'TLSv1.3';
}

export interface UpstreamTransportOptions {
  /** Default `http/1.1`. `auto` lets TLS agree on it, HTTP/2 preferred; without TLS it is HTTP/1.1. */
  readonly protocol?: 'http/1.1' | 'h2' | 'auto';
  readonly tls?: UpstreamTlsOptions;
  /** Tells the client's address ahead of the first byte; `ConnectionPool.connect` needs the `ProxySource` then. */
  readonly proxyProtocol?: 1 | 2;
  /** Absent: the pool's. */
  readonly connectTimeoutMs?: number;
  /** Fewer connections to an upstream than the pool's limit allows. */
  readonly maxConnections?: number | undefined;
  /** Fewer exchanges waiting for a connection than the pool's limit allows. */
  readonly maxWaiting?: number | undefined;
}

/** How an upstream is spoken to, ready to be dialled: the third part of a pool's key. Made by `createUpstreamTransport`. */
export interface UpstreamTransport {
  /** Equal exactly for transports that may share connections. */
  readonly key: string;
  readonly protocol: 'http/1.1' | 'h2' | 'auto';
  readonly tls: CompiledUpstreamTls | undefined;
  readonly proxyProtocol: 1 | 2 | undefined;
  readonly connectTimeoutMs: number | undefined;
  readonly maxConnections: number | undefined;
  readonly maxWaiting: number | undefined;
  /** Why it cannot be used: every attempt fails with `TLS_FAILED` and nothing is dialled. */
  readonly fault: string | undefined;
}

export interface CompiledUpstreamTls {
  readonly serverName: string | undefined;
  readonly verify: boolean;
  readonly context: SecureContext;
}

/** Whose connection is told to an upstream by the PROXY protocol. */
export interface ProxySource {
  readonly sourceAddress: string;
  readonly sourcePort: number;
  readonly destinationAddress: string;
  readonly destinationPort: number;
}

/** HTTP/1.1 over TCP. */
export const PLAIN_HTTP_1: UpstreamTransport = {
  key: '',
  protocol: 'http/1.1',
  tls: undefined,
  proxyProtocol: undefined,
  connectTimeoutMs: undefined,
  maxConnections: undefined,
  maxWaiting: undefined,
  fault: undefined,
};

/** A transport that fails every attempt: for settings that cannot be read, which must not mean "without TLS". */
export function brokenTransport(fault: string): UpstreamTransport {
  return { ...PLAIN_HTTP_1, key: `broken ${fault}`, fault };
}

const PLAIN_PARTS = JSON.stringify({ protocol: PLAIN_HTTP_1.protocol });

// RFC 1123 §2.1, and underscores, which container networks use.
const HOST_NAME = /^(?!-)[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*$/;

/** Reads certificates and makes the key; what cannot be read makes a transport whose `fault` says so. */
export function createUpstreamTransport(options: UpstreamTransportOptions): UpstreamTransport {
  const { tls, proxyProtocol, connectTimeoutMs, maxConnections, maxWaiting } = options;
  // Without TLS there is nothing to agree by.
  const protocol =
    options.protocol === 'auto' && tls === undefined
      ? 'http/1.1'
      : (options.protocol ?? 'http/1.1');
  const parts = { protocol, proxyProtocol, connectTimeoutMs, maxConnections, maxWaiting };
  if (tls === undefined) {
    const key = JSON.stringify(parts);
    if (key === PLAIN_PARTS) return PLAIN_HTTP_1;
    return { ...parts, key, tls: undefined, fault: undefined };
  }
  try {
    const secrets = createHash('sha256')
      .update(JSON.stringify([tls.caPem, tls.certPem, tls.keyPem, tls.minVersion]))
      .digest('base64');
    const compiled = compileTls(tls, secrets);
    const { serverName, verify } = compiled;
    // Whatever decides whom we trust is part of it, so that neither a connection nor a TLS session is ever shared across.
    const key = JSON.stringify({ ...parts, serverName, verify, secrets });
    return { ...parts, key, tls: compiled, fault: undefined };
  } catch (error) {
    return brokenTransport(error instanceof Error ? error.message : String(error));
  }
}

function compileTls(tls: UpstreamTlsOptions, secrets: string): CompiledUpstreamTls {
  const serverName = tls.serverName === undefined ? undefined : toServerName(tls.serverName);
  return { serverName, verify: tls.verify ?? true, context: contextOf(tls, secrets) };
}

/** The latest contexts: services and instances share them, and reading the system's authorities takes a tenth of a second. */
const contexts = new Map<string, SecureContext>();
const MAX_CONTEXTS = 32;

function contextOf(tls: UpstreamTlsOptions, secrets: string): SecureContext {
  const known = contexts.get(secrets);
  if (known !== undefined) return known;
  // Node takes texts without certificates or keys for empty lists, and goes on without a word.
  if (tls.caPem !== undefined && !tls.caPem.includes('-----BEGIN CERTIFICATE-----')) {
    throw new Error('The certificate authority holds no PEM certificate');
  }
  checkClientCertificate(tls);
  const context = createSecureContext({
    ca: tls.caPem ?? systemAuthorities(),
    minVersion: tls.minVersion ?? 'TLSv1.2',
    ...(tls.certPem === undefined ? {} : { cert: tls.certPem, key: tls.keyPem }),
  });
  const oldest = contexts.size < MAX_CONTEXTS ? undefined : contexts.keys().next().value;
  if (oldest !== undefined) contexts.delete(oldest);
  contexts.set(secrets, context);
  return context;
}

function checkClientCertificate({ certPem, keyPem }: UpstreamTlsOptions): void {
  if (certPem === undefined && keyPem === undefined) return;
  if (certPem === undefined || keyPem === undefined) {
    throw new Error('A client certificate needs both certificate and key');
  }
  if (!new X509Certificate(certPem).checkPrivateKey(createPrivateKey(keyPem))) {
    throw new Error("The key is not that of the client's certificate");
  }
}

/** Lower case and without the root's dot; an IP address is no name (RFC 6066 §3). */
function toServerName(name: string): string | undefined {
  if (isIP(name) !== 0) return undefined;
  const lower = name.toLowerCase().replace(/\.$/, '');
  if (lower.length > 253 || !HOST_NAME.test(lower)) {
    throw new Error(`The server name ${JSON.stringify(name)} is not a host name`);
  }
  return lower;
}

let authorities: string[] | undefined;

function systemAuthorities(): string[] {
  if (authorities === undefined) {
    const system = getCACertificates('system');
    // An image without any has what the runtime brings; NODE_EXTRA_CA_CERTS counts in both.
    const base = system.length > 0 ? system : [...rootCertificates];
    authorities = [...base, ...getCACertificates('extra')];
  }
  return authorities;
}
