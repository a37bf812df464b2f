import { type Op, RegistryError } from '@portolan/core';

/** The same for every store, so that a snapshot fits anywhere. */
export const MAX_KEY_BYTES = 1_900;

/** Refuses, before anything is queued, what could not be stored and read back the same. */
export function checkOps(ops: readonly Op[]): void {
  for (const op of ops) {
    const bytes = Buffer.byteLength(op.key);
    if (bytes === 0 || bytes > MAX_KEY_BYTES || !op.key.isWellFormed()) {
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
