import {
  type ClientCertificate,
  type ExchangeProtocol,
  FIELD,
  type MessageFields,
  NOT_FORWARDED,
  type RequestHead,
} from '@portolan/http';
import type { Peer } from './trusted-peers.ts';

/** What the forwarded head says besides what came in. */
export interface ForwardingContext {
  readonly peer: Peer;
  readonly requestId: string;
  /** Whether `requestId` is the one that came in. */
  readonly keepsRequestId: boolean;
  /** Host to send; the client's unless the route rewrites it. */
  readonly host: string;
  /** Path cut or replaced by the route; empty when none. */
  readonly prefix: string;
  /** Of ours, that the client came to. */
  readonly port: number;
  /** Whether the client's connection is encrypted. */
  readonly secure: boolean;
  readonly protocol: ExchangeProtocol;
  /** The one that the client proved to own. */
  readonly clientCertificate: ClientCertificate | undefined;
  /** Present when TRACE or OPTIONS carried one: the number to send. */
  readonly maxForwards: number | undefined;
  /** Protocol to switch to, when the client asked and we pass it on. */
  readonly upgrade: boolean;
}

/** Never passed on as received: written anew, ends here, or cannot be told from a trusted name by some backends. */
const REPLACED = NOT_FORWARDED | FIELD.host | FIELD.forwarded | FIELD.underscore;
/** Expect without a body to wait for means nothing. */
const REPLACED_WITH_EXPECT = REPLACED | FIELD.expect;

/** The header lines of the forwarded request, without framing and connection fields, which the engine writes. */
export function toRequestLines(head: RequestHead, context: ForwardingContext): string {
  const mask = head.expectContinue ? REPLACED : REPLACED_WITH_EXPECT;
  const { peer } = context;
  const dropsId = !context.keepsRequestId && head.has('x-request-id');
  const needsDrop = dropsId || context.maxForwards !== undefined;
  const kept = head.linesWithout(
    mask,
    needsDrop
      ? (fields, index) => isReplacedByName(fields, index, dropsId, context.maxForwards)
      : undefined,
  );
  let lines = `Host: ${context.host}\r\n${kept}`;
  if (!context.keepsRequestId) lines += `X-Request-Id: ${context.requestId}\r\n`;
  if (context.maxForwards !== undefined) lines += `Max-Forwards: ${context.maxForwards}\r\n`;
  if (context.clientCertificate) lines += clientCertificateLine(context.clientCertificate);
  if (peer.trusted && (head.classes & FIELD.forwarded) !== 0)
    return lines + trustedLines(head, context);
  if (context.prefix !== '') lines += `X-Forwarded-Prefix: ${context.prefix}\r\n`;
  return lines + forwardedLines(context, head.host) + viaLine(context.protocol);
}

// What a peer's requests for one host have in common is written once: most requests follow one like themselves.
let lastPeer: Peer | undefined;
let lastHost = '';
let lastPort = 0;
let lastSecure = false;
let lastLines = '';

function forwardedLines(context: ForwardingContext, host: string): string {
  const { peer, port, secure } = context;
  if (peer !== lastPeer || host !== lastHost || port !== lastPort || secure !== lastSecure) {
    const proto = secure ? 'https' : 'http';
    const lines = `X-Forwarded-For: ${peer.ip}\r\nX-Forwarded-Proto: ${proto}\r\nX-Forwarded-Host: ${host}\r\nX-Forwarded-Port: ${port}\r\n`;
    lastLines = `${lines}Forwarded: for=${peer.forwardedFor};host="${host}";proto=${proto}\r\n`;
    lastPeer = peer;
    lastHost = host;
    lastPort = port;
    lastSecure = secure;
  }
  return lastLines;
}

/** Envoy's form. A name in a certificate may hold anything: what could end the text or the line is percent-encoded. */
function clientCertificateLine({ fingerprint, subject }: ClientCertificate): string {
  const told = subject.toWellFormed().replace(/[^\x20-\x7e]|["\\%]/gu, encodeURIComponent);
  return `X-Forwarded-Client-Cert: Hash=${fingerprint};Subject="${told}"\r\n`;
}

/** RFC 9110 §7.6.3: each gateway adds itself; a line of its own is the same as an element of the list. */
function viaLine(protocol: ExchangeProtocol): string {
  switch (protocol) {
    case 'HTTP/1.1':
      return 'Via: 1.1 portolan\r\n';
    case 'HTTP/2':
      return 'Via: 2.0 portolan\r\n';
    case 'HTTP/1.0':
      return 'Via: 1.0 portolan\r\n';
  }
}

/** What a trusted peer said of its own client is kept, and the peer appended. */
function trustedLines(head: RequestHead, context: ForwardingContext): string {
  const { peer } = context;
  const proto = context.secure ? 'https' : 'http';
  const before = head.joined('x-forwarded-for');
  let lines = `X-Forwarded-For: ${before ? `${before}, ` : ''}${peer.ip}\r\n`;
  lines += `X-Forwarded-Proto: ${head.get('x-forwarded-proto') ?? proto}\r\n`;
  lines += `X-Forwarded-Host: ${head.get('x-forwarded-host') ?? head.host}\r\n`;
  lines += `X-Forwarded-Port: ${head.get('x-forwarded-port') ?? context.port}\r\n`;
  const prefix = `${head.get('x-forwarded-prefix') ?? ''}${context.prefix}`;
  if (prefix !== '') lines += `X-Forwarded-Prefix: ${prefix}\r\n`;
  const forwarded = head.joined('forwarded');
  const own = `for=${peer.forwardedFor};host="${head.host}";proto=${proto}`;
  lines += `Forwarded: ${forwarded ? `${forwarded}, ` : ''}${own}\r\n`;
  for (let index = 0; index < head.fieldCount; index++) {
    const bits = head.fieldClass(index);
    if ((bits & FIELD.forwarded) === 0 || (bits & FIELD.underscore) !== 0) continue;
    const name = head.fieldName(index);
    if (WRITTEN_ABOVE.has(name.toLowerCase())) continue;
    lines += `${name}: ${head.fieldValue(index)}\r\n`;
  }
  return lines + viaLine(context.protocol);
}

const WRITTEN_ABOVE = new Set([
  'forwarded',
  'x-forwarded-for',
  'x-forwarded-proto',
  'x-forwarded-host',
  'x-forwarded-port',
  'x-forwarded-prefix',
]);

function isReplacedByName(
  fields: MessageFields,
  index: number,
  dropsId: boolean,
  maxForwards: number | undefined,
): boolean {
  const name = fields.fieldName(index).toLowerCase();
  return (
    (dropsId && name === 'x-request-id') || (maxForwards !== undefined && name === 'max-forwards')
  );
}
