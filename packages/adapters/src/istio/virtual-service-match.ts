import type { DocumentReader, Members, Path } from '../apply/document-reader.ts';

/** One `HTTPMatchRequest` as a route's match. */
export function compileMatch(reader: DocumentReader, value: unknown, path: Path): Members {
  const said = reader.members(
    value,
    path,
    [
      'name',
      'uri',
      'ignoreUriCase',
      'scheme',
      'method',
      'headers',
      'withoutHeaders',
      'queryParams',
      'statPrefix',
    ],
    {
      authority: 'has no counterpart: write hosts',
      port: 'has no counterpart: listeners share their routes',
      sourceLabels: 'has no counterpart: write sources in a native route instead',
      sourceNamespace: 'has no counterpart: write sources in a native route instead',
      gateways: 'has no counterpart',
    },
  );
  const uri = reader.members(said.uri, [...path, 'uri'], ['exact', 'prefix', 'regex']);
  const method = exactOnly(reader, said.method, [...path, 'method']);
  const scheme = exactOnly(reader, said.scheme, [...path, 'scheme']);
  return {
    // Istio's prefix ends anywhere, not only at a segment.
    ...(said.uri === undefined
      ? {}
      : { path: 'prefix' in uri ? { startsWith: uri.prefix } : { ...uri } }),
    ...(said.ignoreUriCase === true ? { ignorePathCase: true } : {}),
    ...(method === undefined ? {} : { methods: [method] }),
    ...(scheme === undefined ? {} : { scheme }),
    ...fields(reader, 'headers', said.headers, path),
    ...fields(reader, 'withoutHeaders', said.withoutHeaders, path),
    ...fields(reader, 'query', said.queryParams, path, 'queryParams'),
  };
}

function exactOnly(reader: DocumentReader, value: unknown, path: Path): unknown {
  if (value === undefined) return undefined;
  return reader.members(value, path, ['exact'], {
    prefix: 'has no counterpart here: write exact',
    regex: 'has no counterpart here: write a match for each, with exact',
  }).exact;
}

function fields(
  reader: DocumentReader,
  name: string,
  value: unknown,
  path: Path,
  written = name,
): Members {
  if (value === undefined) return {};
  const here = [...path, written];
  const told: Record<string, unknown> = {};
  for (const [field, match] of Object.entries(
    reader.members(value, here, Object.keys(value ?? {})),
  )) {
    const said = reader.members(match, [...here, field], ['exact', 'prefix', 'regex']);
    // An empty match asks only that the field is there.
    told[field] = Object.keys(said).length === 0 ? { present: true } : said;
  }
  return { [name]: told };
}
