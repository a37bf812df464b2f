import { DEFAULT_NAMESPACE } from '@portolan/core';
import type { CompiledDocument } from './compiled-document.ts';
import type { DocumentReader, Members } from './document-reader.ts';

/** Whether a document holds `routes` and `policies`, as the configuration file has them. */
export function isNativeDocument(value: unknown): boolean {
  return typeof value === 'object' && value !== null && ('routes' in value || 'policies' in value);
}

/** The entries of `routes` and `policies`, to be checked as they stand. */
export function readNativeDocument(
  reader: DocumentReader,
  value: unknown,
): readonly CompiledDocument[] {
  const members = reader.members(value, [], ['routes', 'policies']);
  return [
    ...read(reader, members.policies, { kind: 'policy', root: 'policies', nameMember: 'service' }),
    ...read(reader, members.routes, { kind: 'route', root: 'routes', nameMember: 'name' }),
  ];
}

function read(
  reader: DocumentReader,
  value: unknown,
  about: {
    readonly kind: 'route' | 'policy';
    readonly root: string;
    readonly nameMember: string;
  },
): CompiledDocument[] {
  const { kind, root, nameMember } = about;
  return reader.list(value, [root]).flatMap((entry, at): CompiledDocument[] => {
    const path = [root, at];
    if (typeof entry !== 'object' || entry === null || Array.isArray(entry)) {
      reader.refuse(path, 'expected an object');
      return [];
    }
    const document = entry as Members;
    const { namespace = DEFAULT_NAMESPACE } = document;
    const name = String(document[nameMember] ?? '');
    return [{ kind, name, namespace: String(namespace), document, path, asWritten: true }];
  });
}
