import type { DoorName, Field } from './fields.ts';

/** An instance as a test wants it. */
export interface Sample {
  readonly service: string;
  readonly id: string;
  readonly address: string;
  readonly port: number;
  readonly weight: number;
  readonly tags: readonly string[];
  readonly metadata: Readonly<Record<string, string>>;
}

export type ReportedStatus = 'passing' | 'warning' | 'critical';

/** An instance as a door shows it: the fields that it `reads`, in our words. */
export type Seen = Partial<Record<Field, unknown>>;

/** One way into the registry. A new dialect is one more of these, and its line in `DOOR_FIELDS`. */
export interface Door {
  readonly name: DoorName;
  /** The service's instances; none when the door does not know it. */
  read(service: string): Promise<readonly Seen[]>;
  register?(sample: Sample): Promise<void>;
  deregister?(sample: Sample): Promise<void>;
  /** What the instance says of itself. */
  report?(sample: Sample, status: ReportedStatus): Promise<void>;
  setMaintenance?(sample: Sample, on: boolean): Promise<void>;
}

export type Ability = 'register' | 'deregister' | 'report' | 'setMaintenance';

/** What the catalogue has to say of a sample after all that was done to it. */
export function expectedOf(
  sample: Sample,
  state: { readonly status: ReportedStatus; readonly maintenance: boolean },
): Record<Field, unknown> {
  const labels = Object.fromEntries(
    sample.tags.flatMap((tag) => {
      const [key = '', value] = tag.split(':');
      return value === undefined ? [] : [[key, value]];
    }),
  );
  return {
    ...sample,
    labels: { ...labels, ...sample.metadata },
    zone: sample.metadata.zone,
    status: state.status,
    maintenance: state.maintenance,
    routable: state.status !== 'critical' && !state.maintenance,
  };
}
