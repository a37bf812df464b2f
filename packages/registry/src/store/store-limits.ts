import { type Op, RegistryError } from '@portolan/core';
import { fitsInBytes } from '../codec/utf8-length.ts';

/** The same for every store, so that a snapshot fits anywhere. */
export const MAX_KEY_BYTES = 1_900;

/** Refuses, before anything is queued, what could not be stored and read back the same. */
export function checkOps(ops: readonly Op[]): void {
  for (const op of ops) {
    const { length } = op.key;
    if (length === 0 || !fitsInBytes(op.key, MAX_KEY_BYTES) || !op.key.isWellFormed()) {
      const bytes = Buffer.byteLength(op.key);
      throw new RegistryError('VALIDATION_FAILED', {
        detail: `A key has to be 1 to ${MAX_KEY_BYTES} bytes of well-formed text; ${JSON.stringify(op.key.slice(0, 80))} has ${bytes}.`,
      });
    }
    if (op.type === 'put' && !op.value.isWellFormed()) {
      throw new RegistryError('VALIDATION_FAILED', {
        detail: `The value of ${JSON.stringify(op.key)} holds half a character (a lone surrogate).`,
      });
    }
  }
}
