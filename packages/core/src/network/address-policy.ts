/** Verdict on dialling one resolved address. */
export type AddressVerdict =
  | { readonly allowed: true }
  | { readonly allowed: false; readonly reason: string };

/**
 * Which addresses a registration may make us call. Checked at registration for IP literals and at every dial for
 * the resolved address. Cloud metadata, link-local, multicast and unspecified addresses and our own ports: never.
 * Loopback: only when configured. Else the configured networks.
 */
export interface AddressPolicy {
  /** `ip` is a literal; IPv4-mapped IPv6 is judged as the IPv4 address it carries. */
  check(ip: string, port: number): AddressVerdict;
}
