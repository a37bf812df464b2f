/** Serving status of grpc.health.v1, by number. */
const SERVING_STATUS = ['UNKNOWN', 'SERVING', 'NOT_SERVING', 'SERVICE_UNKNOWN'] as const;

export type ServingStatus = (typeof SERVING_STATUS)[number] | 'unreadable';

const SERVICE_FIELD = 0x0a;
const STATUS_FIELD = 0x08;

/** `HealthCheckRequest { string service = 1; }`. */
export function toHealthCheckRequest(service: string): Buffer {
  if (service === '') return Buffer.alloc(0);
  const name = Buffer.from(service, 'utf8');
  return Buffer.concat([Buffer.from([SERVICE_FIELD, ...varint(name.length)]), name]);
}

/** `HealthCheckResponse { ServingStatus status = 1; }`; a default of 0 is not written on the wire. */
export function fromHealthCheckResponse(bytes: Buffer): ServingStatus {
  if (bytes.length === 0) return 'UNKNOWN';
  const [field, value, ...rest] = bytes;
  if (field !== STATUS_FIELD || value === undefined || rest.length > 0) return 'unreadable';
  return SERVING_STATUS[value] ?? 'unreadable';
}

function varint(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  while (rest > 0x7f) {
    bytes.push((rest & 0x7f) | 0x80);
    rest >>>= 7;
  }
  return [...bytes, rest];
}
