// The messages of registry.proto as the loader gives them: absent scalars have their defaults, absent messages are null or missing.

export type WireStatus =
  | 'STATUS_UNSPECIFIED'
  | 'STATUS_PASSING'
  | 'STATUS_WARNING'
  | 'STATUS_CRITICAL'
  | 'STATUS_UNKNOWN';

export interface WireRegistration {
  readonly service: string;
  readonly address: string;
  readonly port: number;
  readonly id: string;
  readonly namespace: string;
  readonly group: string;
  readonly tags: readonly string[];
  readonly metadata: Readonly<Record<string, string>>;
  readonly weight?: number;
  /** A number that the enumeration does not know stays one. */
  readonly status: WireStatus | number;
  readonly lease?: 'leaseProfile' | 'leaseTimes';
  readonly leaseProfile?: string | number;
  readonly leaseTimes?: { readonly ttlMs: number; readonly heartbeatMs?: number };
  readonly checks: readonly WireCheck[];
  readonly preflight: boolean;
  readonly exclusive: boolean;
}

export interface WireCheck {
  readonly id: string;
  readonly probe?: 'http' | 'tcp' | 'grpc' | 'ttlMs';
  readonly http?: {
    readonly url: string;
    readonly method: string;
    readonly headers: Readonly<Record<string, string>>;
    readonly expectStatus: readonly string[];
    readonly bodyContains: string;
    readonly skipTlsVerify: boolean;
  };
  readonly tcp?: string;
  readonly grpc?: { readonly target: string; readonly tls: boolean };
  readonly ttlMs?: number;
  readonly intervalMs?: number;
  readonly timeoutMs?: number;
  readonly rise?: number;
  readonly fall?: number;
  readonly deregisterAfterMs?: number;
}

export interface WireRef {
  readonly namespace: string;
  readonly id: string;
}

export interface RegisterRequest {
  readonly registration?: WireRegistration | null;
}

export interface RegisterBatchRequest {
  readonly registrations: readonly WireRegistration[];
}

export interface HeartbeatRequest {
  readonly namespace: string;
  readonly ids: readonly string[];
}

export interface ReportRequest extends WireRef {
  readonly status: WireStatus | number;
  readonly checkId: string;
  readonly output: string;
  readonly metadata: Readonly<Record<string, string>>;
  readonly removedMetadata: readonly string[];
}

export interface SetIntentRequest extends WireRef {
  readonly enabled?: boolean;
  readonly weightChange?: 'weight' | 'clearWeight';
  readonly weight?: number;
  readonly maintenanceChange?: 'maintenance' | 'clearMaintenance';
  readonly maintenance?: { readonly reason: string };
}

export interface HandOverRequest {
  readonly namespace: string;
  readonly group: string;
  readonly service: string;
  readonly to: string;
}

export interface ListInstancesRequest {
  readonly namespace: string;
  readonly group: string;
  readonly service: string;
  readonly routableOnly: boolean;
  readonly tags: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
}

export interface ListServicesRequest {
  readonly namespace: string;
}

export interface WatchRequest {
  readonly namespace: string;
  readonly service: string;
  readonly group: string;
  readonly fromRevision: number;
}
