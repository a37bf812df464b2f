export const HTAB = 0x09;
export const LF = 0x0a;
export const CR = 0x0d;
export const SPACE = 0x20;
export const COLON = 0x3a;

/** 0: not of the class. Underscore is 2 in `TOKEN`, so that names holding one are noticed without a second scan. */
function classOf(matches: (byte: number) => boolean): Uint8Array {
  const table = new Uint8Array(256);
  for (let byte = 0; byte < 256; byte++) table[byte] = matches(byte) ? 1 : 0;
  return table;
}

const isAlphanumeric = (byte: number): boolean =>
  (byte >= 0x30 && byte <= 0x39) ||
  (byte >= 0x41 && byte <= 0x5a) ||
  (byte >= 0x61 && byte <= 0x7a);

/** RFC 9110 §5.6.2 */
export const TOKEN = classOf(
  (byte) => isAlphanumeric(byte) || "!#$%&'*+-.^_`|~".includes(String.fromCharCode(byte)),
);
TOKEN[0x5f] = 2;

/** RFC 9110 §5.5: VCHAR, SP, HTAB and obs-text. */
export const FIELD_VALUE = classOf((byte) => byte === HTAB || (byte >= SPACE && byte !== 0x7f));

/** Printable ASCII but `#` and `\`: neither may be in a request target (RFC 3986 §3). */
export const TARGET = classOf(
  (byte) => byte > SPACE && byte < 0x7f && byte !== 0x23 && byte !== 0x5c,
);

/** Letters, digits and `-._~` (RFC 3986 §2.3). */
export const UNRESERVED = classOf(
  (byte) => isAlphanumeric(byte) || '-._~'.includes(String.fromCharCode(byte)),
);

/** Value of a hexadecimal digit, 255 for any other byte. */
export const HEX_VALUE = new Uint8Array(256).fill(255);
for (let digit = 0; digit < 16; digit++) {
  const text = digit.toString(16);
  HEX_VALUE[text.charCodeAt(0)] = digit;
  HEX_VALUE[text.toUpperCase().charCodeAt(0)] = digit;
}
