import { DEFAULT_NAMESPACE } from '@portolan/core';
import { LineCounter, parseAllDocuments } from 'yaml';
import { parsePolicyDocument, parseRouteDocument } from '../protocols/rest/parse-document.ts';
import { compileDestinationRule } from './destination-rule.ts';
import { type DocumentProblem, DocumentReader, type Members } from './document-reader.ts';
import { compileVirtualService } from './virtual-service.ts';

/** One document to write, as the API takes it. */
export type CompiledDocument =
  | {
      readonly kind: 'route';
      readonly name: string;
      readonly namespace: string;
      readonly body: Members;
    }
  | {
      readonly kind: 'policy';
      readonly name: string;
      readonly namespace: string;
      readonly body: Members;
    };

export interface CompiledFile {
  /** Policies first, so that no route waits for its subsets. Nothing when there is a problem. */
  readonly documents: readonly CompiledDocument[];
  readonly problems: readonly DocumentProblem[];
  /** What is understood and not applied. */
  readonly warnings: readonly DocumentProblem[];
}

const MAX_ALIASES = 100;
const API = /^networking\.istio\.io\/v1(?:alpha3|beta1)?$/;

/**
 * Reads a file of Istio's `VirtualService` and `DestinationRule` documents. Everything is checked, by the same rules as what the API
 * takes, before anything is given back.
 */
export function compileIstio(text: string): CompiledFile {
  const lines = new LineCounter();
  const documents: CompiledDocument[] = [];
  const problems: DocumentProblem[] = [];
  const warnings: DocumentProblem[] = [];
  for (const document of parseAllDocuments(text, { lineCounter: lines, uniqueKeys: true })) {
    for (const error of document.errors) {
      const { line = 1, col = 1 } = error.linePos?.[0] ?? {};
      problems.push({
        line,
        column: col,
        path: '',
        message: error.message.split('\n', 1)[0] ?? '',
      });
    }
    if (document.errors.length > 0) continue;
    let value: unknown;
    try {
      value = document.toJS({ maxAliasCount: MAX_ALIASES });
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      problems.push({ line: 1, column: 1, path: '', message });
      continue;
    }
    if (value === null || value === undefined) continue;
    const reader = new DocumentReader(document, lines);
    const found = compileDocument(reader, value);
    for (const one of found) check(reader, one);
    documents.push(...found);
    problems.push(...reader.problems);
    warnings.push(...reader.warnings);
  }
  const ordered = [
    ...documents.filter(({ kind }) => kind === 'policy'),
    ...documents.filter(({ kind }) => kind === 'route'),
  ];
  return { documents: problems.length > 0 ? [] : ordered, problems, warnings };
}

function compileDocument(reader: DocumentReader, value: unknown): readonly CompiledDocument[] {
  const known = ['apiVersion', 'kind', 'metadata', 'spec', 'status'];
  const document = reader.members(value, [], known);
  const { kind, apiVersion } = document;
  if (typeof apiVersion !== 'string' || !API.test(apiVersion)) {
    reader.refuse(['apiVersion'], 'expected networking.istio.io/v1, v1beta1 or v1alpha3');
  }
  const metadata = (document.metadata ?? {}) as Members;
  const name = reader.text(metadata.name, ['metadata', 'name']);
  if (name === '') reader.refuse(['metadata'], 'expected a name');
  const said = metadata.namespace;
  const namespace =
    said === undefined ? DEFAULT_NAMESPACE : reader.text(said, ['metadata', 'namespace']);
  if (kind === 'VirtualService') {
    return compileVirtualService(reader, document.spec, { name, namespace }).map((route) => ({
      kind: 'route' as const,
      namespace,
      ...route,
    }));
  }
  if (kind === 'DestinationRule') {
    const policy = compileDestinationRule(reader, document.spec, namespace);
    const { service, body } = policy;
    return [{ kind: 'policy', name: service, namespace: policy.namespace, body }];
  }
  reader.refuse(['kind'], 'expected VirtualService or DestinationRule');
  return [];
}

/** By the rules of the API; a place in the file is the document's where the words are not its own. */
function check(reader: DocumentReader, { kind, name, namespace, body }: CompiledDocument): void {
  // What is wrong already has been told, in the file's own words.
  if (reader.problems.length > 0) return;
  const parsed =
    kind === 'route'
      ? parseRouteDocument({ ...body, name, namespace })
      : parsePolicyDocument({ ...body, service: name, namespace });
  if (parsed.ok) return;
  for (const { path, expected, found } of parsed.problems) {
    const seen = found === undefined ? '' : `, found ${found}`;
    reader.refuse(['spec'], `as ${kind} ${name}: ${path}: expected ${expected}${seen}`);
  }
}
