import { requireSnapshotMediaType } from '../body/media-type.ts';
import { jsonReply } from '../json-reply.ts';
import type { Operation, SnapshotPort } from '../operation.ts';
import { queryError } from '../query.ts';
import { anyObjectAnswer } from '../schemas/answer-schemas.ts';

const NDJSON = 'application/x-ndjson';
const RESTORE_LIMIT_BYTES = 1_024 * 1_024 * 1_024;

/** Everything out as lines of JSON, and in again. */
export function snapshotOperations(snapshot: SnapshotPort): Operation[] {
  return [
    {
      id: 'saveSnapshot',
      tag: 'Snapshot',
      summary: 'Download everything the registry holds',
      method: 'GET',
      path: '/snapshot',
      answers: { 200: { description: 'One document a line.', mediaType: NDJSON } },
      errors: [],
      handle: () => ({
        status: 200,
        headers: {
          'content-type': NDJSON,
          'cache-control': 'no-store',
          'content-disposition': 'attachment; filename="portolan-snapshot.ndjson"',
        },
        body: snapshot.save(),
      }),
    },
    {
      id: 'restoreSnapshot',
      tag: 'Snapshot',
      summary: 'Restore a snapshot into the running registry',
      method: 'POST',
      path: '/snapshot',
      query: {
        mode: {
          description:
            '`empty` (default) refuses a registry that holds something; `replace` makes it equal to the snapshot.',
          schema: { type: 'string', enum: ['empty', 'replace'] },
        },
      },
      body: { mediaType: NDJSON, required: true, limitBytes: RESTORE_LIMIT_BYTES },
      answers: { 200: { description: 'What was restored.', schema: anyObjectAnswer } },
      errors: ['SNAPSHOT_INVALID', 'CONFLICT', 'STORE_FULL'],
      async handle(call) {
        const mode = call.request.query.get('mode') ?? 'empty';
        if (mode !== 'empty' && mode !== 'replace') {
          throw queryError('mode', '"empty" or "replace"', mode);
        }
        requireSnapshotMediaType(call.request.header('content-type'));
        return jsonReply(await snapshot.restore(call.request.body, mode));
      },
    },
  ];
}
