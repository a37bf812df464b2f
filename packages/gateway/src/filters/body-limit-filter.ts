import type { Filter } from './filter.ts';

/** Refuses larger bodies with 413: before anything is forwarded where the length is announced, else as soon as it is passed. */
export function createBodyLimitFilter(limitBytes: number): Filter {
  return {
    name: 'body-limit',
    onRequest(request) {
      const { framing } = request.head;
      if (framing.kind === 'length' && framing.length > limitBytes) {
        request.refuse('BODY_TOO_LARGE_FOR_ROUTE');
        return 'answered';
      }
      if (framing.kind === 'chunked') {
        let bytes = 0;
        request.watchBody((piece) => {
          bytes += piece.length;
          if (bytes > limitBytes) request.refuse('BODY_TOO_LARGE_FOR_ROUTE');
        });
      }
      return 'continue';
    },
  };
}
