import type { Random } from '@portolan/core';

const SANE = /^[A-Za-z0-9._:+/=-]{1,128}$/;

/** Whether an id given by a trusted peer may go into logs and headers as it is. */
export function isSaneRequestId(id: string): boolean {
  return SANE.test(id);
}

/** Makes ids that are unique over restarts and cheap: a random prefix, then a counter. */
export function createRequestIds(random: Random): () => string {
  const prefix = Array.from({ length: 3 }, () =>
    Math.floor(random() * 0x1000000)
      .toString(16)
      .padStart(6, '0'),
  ).join('');
  let count = 0;
  return () => {
    count++;
    return `${prefix}-${count.toString(36)}`;
  };
}
