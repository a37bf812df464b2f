/** What is compared when an instance that came in by one door is read by another. */
export const FIELDS = [
  'id',
  'address',
  'port',
  'weight',
  'tags',
  'metadata',
  'labels',
  'zone',
  'status',
  'maintenance',
  'routable',
] as const;

export type Field = (typeof FIELDS)[number];

export interface DoorFields {
  /** Fields that a registration through it carries; empty where it takes none. */
  readonly registers: readonly Field[];
  /** Fields that a reader sees of an instance, wherever it was registered. */
  readonly reads: readonly Field[];
}

const REGISTERED = [
  'id',
  'address',
  'port',
  'weight',
  'tags',
  'metadata',
  'labels',
  'zone',
] as const;

/** Each door in one line: this is what the table test proves, and what docs/reference/compatibility.md shows. */
export const DOOR_FIELDS = {
  rest: { registers: REGISTERED, reads: FIELDS },
  grpc: { registers: REGISTERED, reads: FIELDS },
  consul: {
    // Labels are not shown by themselves: of tags and metadata they are made here.
    registers: REGISTERED,
    reads: ['id', 'address', 'port', 'weight', 'tags', 'metadata', 'zone', 'status', 'maintenance'],
  },
  dns: { registers: [], reads: ['id', 'address', 'port', 'weight', 'labels', 'zone', 'routable'] },
} as const satisfies Readonly<Record<string, DoorFields>>;

export type DoorName = keyof typeof DOOR_FIELDS;
