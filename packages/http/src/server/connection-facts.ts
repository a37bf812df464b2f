/** What a TLS handshake said of the client. */
export interface TlsFacts {
  /** SNI, lower case. */
  readonly serverName: string | undefined;
  /** The protocol that both sides chose by ALPN, such as `h2`. */
  readonly protocol: string | undefined;
  /** Which certificate was shown: its place in the listener's list. */
  readonly certificate: number;
  /** The certificate the client proved to own; undefined when it showed none that the listener's CA signed. */
  readonly clientCertificate: ClientCertificate | undefined;
}

/** A verified client certificate. */
export interface ClientCertificate {
  /** RFC 4514-like, such as `CN=alice,O=Example`. */
  readonly subject: string;
  /** SHA-256, hexadecimal, lower case. */
  readonly fingerprint: string;
}

/** Where a connection comes from and what carries it. */
export interface ConnectionFacts {
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly localAddress: string;
  readonly localPort: number;
  readonly tls: TlsFacts | undefined;
}
