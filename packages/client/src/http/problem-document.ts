import { ERROR_TABLE, type ErrorCode, type Problem } from '@portolan/core';
import { PortolanError } from './portolan-error.ts';

/** A `PortolanError` from an RFC 9457 problem document; undefined when it is not one of ours. */
export function fromProblemDocument(
  document: unknown,
  status: number,
  url: string,
  retryAfterMs?: number,
): PortolanError | undefined {
  if (typeof document !== 'object' || document === null) return undefined;
  const { code, detail, title, errors, instance, retryable } = document as Record<string, unknown>;
  if (typeof code !== 'string') return undefined;
  const known = Object.hasOwn(ERROR_TABLE, code) ? ERROR_TABLE[code as ErrorCode] : undefined;
  return new PortolanError(
    code as ErrorCode,
    typeof detail === 'string' ? detail : typeof title === 'string' ? title : code,
    {
      status,
      url,
      problems: Array.isArray(errors) ? errors.flatMap(toProblem) : [],
      retryable: typeof retryable === 'boolean' ? retryable : (known?.retryable ?? status >= 500),
      ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
      ...(typeof instance === 'string' ? { requestId: instance } : {}),
    },
  );
}

function toProblem(value: unknown): Problem[] {
  if (typeof value !== 'object' || value === null) return [];
  const { path, expected, found } = value as Record<string, unknown>;
  if (typeof path !== 'string' || typeof expected !== 'string') return [];
  return [{ path, expected, ...(typeof found === 'string' ? { found } : {}) }];
}
