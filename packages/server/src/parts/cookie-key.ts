import { readFileSync } from 'node:fs';
import { StartError } from '../lifecycle/start-error.ts';

const LEAST_BYTES = 32;

/** Reads the key that signs cookies. Throws a `StartError` for a file that cannot be read or is too short. */
export function readCookieKey(path: string): Buffer {
  let key: Buffer;
  try {
    key = readFileSync(path);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new StartError(`gateway.cookieKeyFile cannot be read: ${reason}`, { cause });
  }
  if (key.length >= LEAST_BYTES) return key;
  throw new StartError(
    `gateway.cookieKeyFile ${path} holds ${key.length} bytes; it needs at least ${LEAST_BYTES}, such as from: openssl rand -out ${path} 48`,
  );
}
