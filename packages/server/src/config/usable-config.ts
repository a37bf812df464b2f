import type { ConfigNode } from './config-node.ts';
import type { ConfigDocuments } from './parse-documents.ts';
import type { PortolanConfig } from './schema.ts';

/** A configuration without problems. */
export interface UsableConfig {
  readonly config: PortolanConfig;
  readonly merged: ConfigNode;
  readonly documents: ConfigDocuments;
}
