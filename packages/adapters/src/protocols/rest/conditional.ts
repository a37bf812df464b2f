import {
  type ControlReply,
  type ControlRequest,
  isRegistryError,
  RegistryError,
  type Revision,
} from '@portolan/core';
import { jsonReply } from './json-reply.ts';

interface Revised {
  readonly modifyRevision: Revision;
}

/** What a write is conditional on. */
export type Condition =
  | { readonly kind: 'none' }
  /** `If-Match: *`. */
  | { readonly kind: 'exists' }
  /** `If-None-Match: *`. */
  | { readonly kind: 'absent' }
  | { readonly kind: 'at'; readonly revision: Revision };

/** Reads `If-Match` and `If-None-Match` of a write (RFC 9110 §13.1). A tag that we never made matches nothing. */
export function toCondition(request: Pick<ControlRequest, 'header'>): Condition {
  const ifMatch = request.header('if-match')?.trim();
  if (ifMatch !== undefined) {
    if (ifMatch === '*') return { kind: 'exists' };
    const tag = /^"(\d{1,15})"$/.exec(ifMatch);
    // RFC 9110 §13.1.1: strong comparison, so a weak tag never matches.
    if (!tag) throw preconditionFailed(`No revision of it has the tag ${ifMatch.slice(0, 64)}`);
    return { kind: 'at', revision: Number(tag[1]) };
  }
  const ifNoneMatch = request.header('if-none-match')?.trim();
  if (ifNoneMatch === '*') return { kind: 'absent' };
  return { kind: 'none' };
}

/** Checks what can be known before the write; returns the guard that the write itself carries. */
export function toGuard(condition: Condition, present: Revised | undefined): Revision | undefined {
  switch (condition.kind) {
    case 'none':
      return undefined;
    case 'absent':
      if (present) throw preconditionFailed(`It exists, at revision ${present.modifyRevision}`);
      return 0;
    case 'exists':
      if (!present) throw preconditionFailed('It does not exist');
      return undefined;
    case 'at':
      if (present?.modifyRevision !== condition.revision) {
        throw preconditionFailed(
          present ? `It is at revision ${present.modifyRevision}` : 'It does not exist',
        );
      }
      return condition.revision;
  }
}

/** A guard that lost a race is a failed precondition when the caller made it one. */
export function toConditionError(error: unknown, condition: Condition): unknown {
  if (condition.kind === 'none' || !isRegistryError(error) || error.code !== 'CONFLICT')
    return error;
  return new RegistryError('PRECONDITION_FAILED', { detail: error.message, cause: error });
}

/**
 * Makes a write on the condition that its headers state. What can be known before is checked
 * before; `write` carries the guard it is given, for what only the store can know.
 */
export async function writeConditionally<T>(
  request: Pick<ControlRequest, 'header'>,
  present: Revised | undefined,
  write: (guard: Revision | undefined) => Promise<T>,
): Promise<T> {
  const condition = toCondition(request);
  const guard = toGuard(condition, present);
  try {
    return await write(guard);
  } catch (error) {
    throw toConditionError(error, condition);
  }
}

/** A document as `value`, with its revision as ETag. */
export function documentReply(
  document: Revised,
  status = 200,
  value: unknown = document,
): ControlReply {
  return jsonReply(value, status, { etag: toETag(document) });
}

/** Answers a read: 304 where its `If-None-Match` names the document's revision, and else the document as `value`. */
export function readReply(
  request: Pick<ControlRequest, 'header'>,
  document: Revised,
  value: unknown = document,
): ControlReply {
  return isNotModified(request, document.modifyRevision)
    ? { status: 304, headers: { etag: toETag(document) } }
    : documentReply(document, 200, value);
}

/** Whether `If-None-Match` of a read names this revision. */
function isNotModified(request: Pick<ControlRequest, 'header'>, revision: Revision): boolean {
  const tags = request.header('if-none-match');
  if (tags === undefined) return false;
  // RFC 9110 §13.1.2: weak comparison.
  return tags
    .split(',')
    .some((tag) => ['*', `"${revision}"`, `W/"${revision}"`].includes(tag.trim()));
}

function toETag(document: Revised): string {
  return `"${document.modifyRevision}"`;
}

function preconditionFailed(what: string): RegistryError {
  return new RegistryError('PRECONDITION_FAILED', {
    detail: `${what}. Read it again and decide anew.`,
  });
}
