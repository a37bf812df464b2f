import { RegistryError } from '@portolan/core';

/** Refuses a body that says it is something else than JSON in UTF-8; a body that says nothing is taken as JSON. */
export function requireJsonMediaType(contentType: string | undefined): void {
  if (contentType === undefined || contentType === 'application/json') return;
  const [type = '', ...parameters] = contentType.toLowerCase().split(';');
  const essence = type.trim();
  const isJson =
    essence === 'application/json' || /^application\/[a-z0-9.!#$&^_-]+\+json$/.test(essence);
  const charset = parameters.map((text) => text.trim()).find((text) => text.startsWith('charset='));
  if (isJson && (charset === undefined || /^charset="?utf-8"?$/.test(charset))) return;
  throw new RegistryError('MEDIA_TYPE_UNSUPPORTED', {
    detail: 'Send the body as JSON in UTF-8 with the header "content-type: application/json".',
  });
}

/** Like `requireJsonMediaType`, for the newline-delimited JSON of snapshots. */
export function requireSnapshotMediaType(contentType: string | undefined): void {
  const essence = contentType?.toLowerCase().split(';')[0]?.trim();
  if (
    essence === undefined ||
    essence === 'application/x-ndjson' ||
    essence === 'application/octet-stream'
  ) {
    return;
  }
  throw new RegistryError('MEDIA_TYPE_UNSUPPORTED', {
    detail: 'Send the snapshot with the header "content-type: application/x-ndjson".',
  });
}
