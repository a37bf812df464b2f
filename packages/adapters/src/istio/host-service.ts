import type { DocumentReader, Path } from '../apply/document-reader.ts';

/** `reviews`, `reviews.prod` and `reviews.prod.svc.cluster.local` as a service; a short name is in the document's own namespace. */
export function hostService(
  reader: DocumentReader,
  host: unknown,
  path: Path,
  namespace: string,
): { readonly service: string; readonly namespace: string } {
  const text = reader.text(host, path);
  const match = /^([a-z0-9-]+)(?:\.([a-z0-9-]+)(?:\.svc(?:\.cluster\.local)?)?)?$/.exec(text);
  if (!match) {
    reader.refuse(
      path,
      'expected the name of a service: NAME, NAME.NAMESPACE or NAME.NAMESPACE.svc.cluster.local',
    );
    return { service: '', namespace };
  }
  return { service: match[1] ?? '', namespace: match[2] ?? namespace };
}
