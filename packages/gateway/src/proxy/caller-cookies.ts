import type { CallerKey, Random } from '@portolan/core';
import { callerOf } from '../routing/caller.ts';
import type { RouteQuery } from '../routing/route-match.ts';
import { cookieLine } from './session-cookie.ts';

/** Cookies that this exchange gives to a caller, and by which it is known already now. */
export class CallerCookies {
  /** As the caller's next request will bring them: `a=1; b=2`. */
  pairs = '';
  /** Lines of the answer. */
  lines = '';

  /** A caller known by a cookie that it does not have yet gets one, where the route or policy says so. */
  give(key: CallerKey, query: RouteQuery, random: Random): void {
    if (key.kind !== 'cookie' || key.ttlMs === undefined) return;
    if (callerOf(key, query) !== undefined) return;
    const part = (): string =>
      Math.floor(random() * 2 ** 32)
        .toString(16)
        .padStart(8, '0');
    const value = part() + part() + part() + part();
    const { name, ttlMs, path } = key;
    this.pairs += `${this.pairs === '' ? '' : '; '}${name}=${value}`;
    this.lines += cookieLine(name, value, {
      ttlMs,
      ...(path === undefined ? {} : { path }),
      secure: query.secure,
    });
  }

  /** The request's Cookie field with them. */
  joinedTo(field: string | undefined): string | undefined {
    if (this.pairs === '') return field;
    return field === undefined ? this.pairs : `${field}; ${this.pairs}`;
  }
}
