import type { Instance, Status } from '@portolan/core';
import { booleanParameter, LABEL_PREFIX, type QueryParameters, queryError } from './query.ts';
import { STATUS_WORDS } from './schemas/fields.ts';

/** The filters of every call that lists instances. */
export const INSTANCE_FILTERS: QueryParameters = {
  status: {
    description: 'Only instances in this status; several, separated by commas.',
    schema: { type: 'string', examples: ['passing', 'passing,warning'] },
  },
  tag: {
    description: 'Only instances with this tag; given several times, with all of them.',
    schema: { type: 'string', examples: ['version:v1'] },
    repeated: true,
  },
  zone: { description: 'Only instances whose label `zone` is this.', schema: { type: 'string' } },
  routable: {
    description: 'true: only instances that may get traffic; false: only the others.',
    schema: { type: 'boolean' },
  },
  'metadata.<key>': {
    description: 'Only instances whose label `<key>` (from metadata or a tag `key:value`) is this.',
    schema: { type: 'string' },
  },
};

/** The filter that a query asks for; undefined when it asks for all. */
export function toInstanceFilter(
  query: URLSearchParams,
): ((instance: Instance) => boolean) | undefined {
  if (query.size === 0) return undefined;
  const conditions: ((instance: Instance) => boolean)[] = [];
  const status = query.get('status');
  if (status !== null) {
    const wanted = new Set<Status>(status.split(',').map(toStatus));
    conditions.push((instance) => wanted.has(instance.status));
  }
  for (const tag of query.getAll('tag')) {
    conditions.push((instance) => instance.tags.includes(tag));
  }
  const zone = query.get('zone');
  if (zone !== null) conditions.push((instance) => instance.labels.zone === zone);
  const routable = booleanParameter(query, 'routable');
  if (routable !== undefined) conditions.push((instance) => instance.routable === routable);
  for (const [name, value] of query) {
    if (!name.startsWith(LABEL_PREFIX)) continue;
    const key = name.slice(LABEL_PREFIX.length);
    conditions.push(
      (instance) => Object.hasOwn(instance.labels, key) && instance.labels[key] === value,
    );
  }
  if (conditions.length === 0) return undefined;
  return (instance) => conditions.every((holds) => holds(instance));
}

function toStatus(word: string): Status {
  if (Object.hasOwn(STATUS_WORDS, word)) return STATUS_WORDS[word as keyof typeof STATUS_WORDS];
  throw queryError('status', `one of ${Object.keys(STATUS_WORDS).join(', ')}`, word);
}
