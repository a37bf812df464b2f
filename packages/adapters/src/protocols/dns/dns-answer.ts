import type { Answer } from 'dns-packet';

/** RFC 1035 §4.1.1 and RFC 6891 §9; BADVERS needs the upper bits that EDNS has for it. */
export const RCODES = {
  NOERROR: 0,
  FORMERR: 1,
  SERVFAIL: 2,
  NXDOMAIN: 3,
  NOTIMP: 4,
  REFUSED: 5,
  BADVERS: 16,
} as const;

export type Rcode = keyof typeof RCODES;

/** A record whose owner is the name that was asked for, unless it has a name of its own. */
export type DnsRecord = Answer extends infer A
  ? A extends { name: string }
    ? Omit<A, 'name'> & { readonly name?: string }
    : never
  : never;

/** What is to be said to a question; the codec decides how much of it fits. */
export interface DnsAnswer {
  readonly rcode: Rcode;
  /** Whether we are an authority for the name. */
  readonly authoritative: boolean;
  readonly answers: readonly DnsRecord[];
  /** There are more than these. */
  readonly isCut: boolean;
  readonly authorities: readonly DnsRecord[];
  /** May be left out without harm. */
  readonly additionals: readonly DnsRecord[];
}

/** An answer that is an error and nothing else. */
export function bareAnswer(rcode: Rcode): DnsAnswer {
  return {
    rcode,
    authoritative: false,
    answers: [],
    isCut: false,
    authorities: [],
    additionals: [],
  };
}
