import { createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import type { Clock } from '@portolan/core';
import { denied } from './nacos-error.ts';

export const TOKEN_TTL_SECS = 18_000;

/** Who may speak Nacos here. */
export interface NacosUsers {
  /** A token for who knows the password; throws for others. */
  login(username: string, password: string): string;
  /** Throws for who neither has a token nor gives name and password with the request itself, as Node's client does. */
  require(credentials: Credentials): void;
}

export interface Credentials {
  readonly accessToken: string | undefined;
  readonly username: string | undefined;
  readonly password: string | undefined;
}

/**
 * Tokens are signed, not remembered: their key lives as long as the process, and a client whose token is refused logs in again.
 */
export function createNacosUsers(
  passwords: ReadonlyMap<string, string>,
  { clock }: { readonly clock: Clock },
): NacosUsers {
  const key = randomBytes(32);

  const sign = (text: string) => createHmac('sha256', key).update(text).digest();

  function knows(username: string, password: string): boolean {
    const expected = passwords.get(username);
    // As long for a name that is not there.
    const same = timingSafeEqual(digest(password), digest(expected ?? ''));
    return expected !== undefined && same;
  }

  function isValid(token: string): boolean {
    const [name = '', until = '', signature = ''] = token.split('.');
    const given = Buffer.from(signature, 'base64url');
    const expected = sign(`${name}.${until}`);
    if (given.length !== expected.length || !timingSafeEqual(given, expected)) return false;
    return Number(until) > clock.wallNow();
  }

  return {
    login(username, password) {
      if (!knows(username, password)) throw denied('unknown user!');
      const until = Math.floor(clock.wallNow() + TOKEN_TTL_SECS * 1_000);
      const head = `${Buffer.from(username).toString('base64url')}.${until}`;
      return `${head}.${sign(head).toString('base64url')}`;
    },
    require({ accessToken, username, password }) {
      if (accessToken !== undefined && accessToken !== '') {
        if (!isValid(accessToken)) throw denied('token invalid!');
      } else if (username === undefined || !knows(username, password ?? '')) {
        throw denied('user not found!');
      }
    },
  };
}

/** Lines of `name:password`; empty ones and those that begin with `#` are passed over. */
export function parseUserFile(text: string): ReadonlyMap<string, string> {
  const users = new Map<string, string>();
  for (const [at, line] of text.split(/\r?\n/).entries()) {
    if (line.trim() === '' || line.startsWith('#')) continue;
    const colon = line.indexOf(':');
    if (colon <= 0 || colon === line.length - 1) {
      throw new Error(`line ${at + 1} is not name:password`);
    }
    users.set(line.slice(0, colon), line.slice(colon + 1));
  }
  if (users.size === 0) throw new Error('it names no user');
  return users;
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
