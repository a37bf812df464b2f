import type { ServerExchange } from '@portolan/http';

/** Finds the key authorisation of a challenge by its token; undefined for one that is not ours. */
export type FindChallenge = (token: string) => Promise<string | undefined>;

const CHALLENGE = /^\/\.well-known\/acme-challenge\/([A-Za-z0-9_-]{1,128})$/;

/** The token that a certificate authority asks for (RFC 8555 §8.3): without TLS, by GET. */
export function challengeToken({ head, secure }: ServerExchange): string | undefined {
  if (secure || head.method !== 'GET') return undefined;
  return CHALLENGE.exec(head.target)?.[1];
}

/** Answers a challenge of ours; what is another's goes the way of every request. */
export async function answerChallenge(
  exchange: ServerExchange,
  token: string,
  find: FindChallenge,
  otherwise: () => void,
): Promise<void> {
  const keyAuthorization = await find(token).catch(() => undefined);
  if (exchange.ended) return;
  if (keyAuthorization === undefined) otherwise();
  else exchange.reply(200, { 'Content-Type': 'application/octet-stream' }, keyAuthorization);
}
