import { DEFAULT_GROUP } from '@portolan/core';
import { LineCounter, parseAllDocuments } from 'yaml';
import { compileIstioDocument } from '../istio/compile-istio-document.ts';
import { fromJsonPath } from '../protocols/body/json-path.ts';
import { parsePolicyDocument, parseRouteDocument } from '../protocols/rest/parse-document.ts';
import type { CompiledDocument } from './compiled-document.ts';
import { type DocumentProblem, DocumentReader } from './document-reader.ts';
import { isNativeDocument, readNativeDocument } from './native-documents.ts';

export interface CompiledFile {
  /** Policies first, so that no route waits for its subsets. Nothing when there is a problem. */
  readonly documents: readonly CompiledDocument[];
  readonly problems: readonly DocumentProblem[];
  /** What is understood and not applied. */
  readonly warnings: readonly DocumentProblem[];
}

const MAX_ALIASES = 100;

/**
 * Reads a file of YAML documents: Istio's `VirtualService` and `DestinationRule`, and `routes` and `policies` in our own form. Everything is
 * checked, by the same rules as what the API takes, before anything is given back.
 */
export function compileFile(text: string): CompiledFile {
  const lines = new LineCounter();
  const documents: CompiledDocument[] = [];
  const problems: DocumentProblem[] = [];
  const warnings: DocumentProblem[] = [];
  /** The line of each document, by what it is called. */
  const first = new Map<string, number>();
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
    const found = isNativeDocument(value)
      ? readNativeDocument(reader, value)
      : compileIstioDocument(reader, value);
    for (const one of found) {
      check(reader, one);
      refuseSecond(reader, one, first);
    }
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

/** A document stands once in a commit. */
function refuseSecond(
  reader: DocumentReader,
  { kind, name, namespace, document, path }: CompiledDocument,
  first: Map<string, number>,
): void {
  const key = JSON.stringify([kind, namespace, document.group ?? DEFAULT_GROUP, name]);
  const line = first.get(key);
  if (line === undefined) first.set(key, reader.lineOf(path));
  else reader.refuse(path, `${kind} ${name} stands at line ${line} already`);
}

/** By the rules of the API; a place in the file is the document's where the words are not its own. */
function check(reader: DocumentReader, compiled: CompiledDocument): void {
  const { kind, name, document, path: root, asWritten } = compiled;
  // What is wrong with an Istio document already has been told, in its own words.
  if (asWritten !== true && reader.problems.length > 0) return;
  const parsed = kind === 'route' ? parseRouteDocument(document) : parsePolicyDocument(document);
  if (parsed.ok) return;
  for (const { path, expected, found } of parsed.problems) {
    const seen = found === undefined ? '' : `, found ${found}`;
    if (asWritten) reader.refuse([...root, ...fromJsonPath(path)], `expected ${expected}${seen}`);
    else reader.refuse(root, `as ${kind} ${name}: ${path}: expected ${expected}${seen}`);
  }
}
