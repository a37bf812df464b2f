import type { Members, Path } from './document-reader.ts';

/** One document to write. */
export interface CompiledDocument {
  readonly kind: 'route' | 'policy';
  /** A policy's is its service's. */
  readonly name: string;
  readonly namespace: string;
  /** As `POST /apply` takes it. */
  readonly document: Members;
  /** Where it stands in its YAML document. */
  readonly path: Path;
  /** Whether it is in the file word for word, so that a problem within it has a place there. */
  readonly asWritten?: boolean;
}
