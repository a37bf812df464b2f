import {
  readRoute,
  readTrafficPolicy,
  ShapeError,
  type StoredRoute,
  type StoredTrafficPolicy,
} from '@portolan/core';
import { unexpected, WireReader } from './wire-reader.ts';

type Members = Readonly<Record<string, unknown>>;

/** A route as the model has it. Throws `ANSWER_INVALID`. */
export function fromRouteDocument(document: unknown, path = '$'): StoredRoute {
  const reader = new WireReader(document, path);
  const revisions = readRevisions(reader);
  const { match: _, to: __, rewrite, mirrors, auth, ...same } = document as Members;
  const rewrites = isMembers(rewrite) ? rewrite : {};
  const model = {
    ...same,
    matches: reader.list('match', toMatch),
    destinations: reader.list('to', toDestination),
    rewritePrefix: rewrites.prefix,
    rewriteHost: rewrites.host,
    ...(rewrites.pattern === undefined ? {} : { rewriteRegex: rewrites }),
    ...(Array.isArray(mirrors) ? { mirrors: mirrors.map(toDestination) } : {}),
    ...(isMembers(auth) ? { auth: { ...auth, service: toDestination(auth) } } : {}),
  };
  return { ...shaped(() => readRoute(model, path), model), ...revisions };
}

/** A traffic policy as the model has it. Throws `ANSWER_INVALID`. */
export function fromPolicyDocument(document: unknown, path = '$'): StoredTrafficPolicy {
  const revisions = readRevisions(new WireReader(document, path));
  return { ...shaped(() => readTrafficPolicy(document, path), document), ...revisions };
}

function readRevisions(reader: WireReader) {
  return {
    createRevision: reader.number('createRevision'),
    modifyRevision: reader.number('modifyRevision'),
  };
}

function shaped<T>(read: () => T, found: unknown): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof ShapeError) throw unexpected(error.path, error.expected, found);
    throw error;
  }
}

function toMatch(document: unknown): unknown {
  if (!isMembers(document)) return document;
  const { headers, withoutHeaders, query } = document;
  return {
    ...document,
    headers: toFields(headers),
    withoutHeaders: toFields(withoutHeaders),
    query: toFields(query),
  };
}

/** Text alone is what has to be equal. */
function toFields(document: unknown): unknown {
  if (!isMembers(document)) return document;
  const fields: Record<string, unknown> = Object.create(null);
  for (const [name, match] of Object.entries(document)) {
    fields[name] = typeof match === 'string' ? { exact: match } : match;
  }
  return fields;
}

function toDestination(document: unknown): unknown {
  if (!isMembers(document)) return document;
  const { labels, subset, ...same } = document;
  return { ...same, subset: labels ?? {}, subsetName: subset };
}

function isMembers(value: unknown): value is Members {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
