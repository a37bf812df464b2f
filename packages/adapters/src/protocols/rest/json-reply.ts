import type { ControlReply } from '@portolan/core';

/** Headers of every JSON answer; frozen and shared, because replies are made thousands of times a second. */
export const JSON_HEADERS: Readonly<Record<string, string>> = Object.freeze({
  'content-type': 'application/json',
  'cache-control': 'no-store',
  'x-content-type-options': 'nosniff',
});

export function jsonReply(
  value: unknown,
  status = 200,
  headers?: Readonly<Record<string, string>>,
): ControlReply {
  return {
    status,
    headers: headers === undefined ? JSON_HEADERS : { ...JSON_HEADERS, ...headers },
    body: JSON.stringify(value),
  };
}
