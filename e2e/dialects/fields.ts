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
  /** What can be done through it to an instance, wherever it was registered, besides registering and deregistering. */
  readonly does?: readonly ('report' | 'setMaintenance')[];
  /** What can be reported through it, in the order of the test; absent: everything. */
  readonly says?: readonly ('warning' | 'critical' | 'passing')[];
  /** Whether a registration through it comes with a check of its own. */
  readonly brings?: 'a ttl check';
  /** What it says instead of reporting where there is a check. */
  readonly leavesChecks?: string;
  /** Whether it reports by registering anew, so that the instance is as it registers it. */
  readonly reportsAnew?: true;
  /** What it does not show at all; absent: it shows everything. */
  readonly hides?: 'not routable' | 'in maintenance';
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
  rest: { registers: REGISTERED, reads: FIELDS, does: ['report', 'setMaintenance'] },
  grpc: { registers: REGISTERED, reads: FIELDS, does: ['report', 'setMaintenance'] },
  consul: {
    registers: REGISTERED,
    reads: FIELDS.filter((field) => field !== 'labels'),
    does: ['report', 'setMaintenance'],
    brings: 'a ttl check',
  },
  dns: {
    registers: [],
    reads: ['id', 'address', 'port', 'weight', 'labels', 'zone', 'routable'],
    hides: 'not routable',
  },
  eureka: {
    registers: ['id', 'address', 'port', 'weight', 'zone'],
    reads: ['id', 'address', 'port', 'weight', 'labels', 'zone', 'maintenance', 'routable'],
    does: ['report', 'setMaintenance'],
    says: ['critical', 'passing'],
    reportsAnew: true,
  },
  nacos: {
    registers: ['address', 'port', 'weight', 'zone'],
    reads: ['address', 'port', 'weight', 'labels', 'zone', 'routable'],
    does: ['report', 'setMaintenance'],
    says: ['critical', 'passing'],
    brings: 'a ttl check',
    leavesChecks: 'health check is still working',
    hides: 'in maintenance',
  },
} as const satisfies Readonly<Record<string, DoorFields>>;

export type DoorName = keyof typeof DOOR_FIELDS;
