import type { ApplyAnswer, ApplyBody } from '../wire/route-documents.ts';
import type { Caller, CallScope } from './caller.ts';

/** Routes and traffic policies in one commit. */
export function createApplyCall({ call }: Caller) {
  return (body: ApplyBody, scope: CallScope & { readonly dryRun?: boolean } = {}) =>
    call<ApplyAnswer>('POST', '/apply', {
      scope,
      reach: 'server',
      body,
      ...(scope.dryRun === true ? { query: { dryRun: 'true' } } : {}),
    });
}
