import type { CatalogueUpdate, RequestToExplain, RouteExplanation } from '@portolan/core';
import type { GatewayStats } from '@portolan/gateway';
import type { PortolanConfig } from '../config/schema.ts';
import type { ListenAddress } from '../config/value-types.ts';
import type { NamedListener } from '../parts/server-context.ts';
import type { MetricSnapshot } from '../telemetry/metrics.ts';

/** What a worker is started with and what a reload gives it anew. */
export interface WorkerSettings {
  /** As in force in the server; the gateway's address is the one that all workers share. */
  readonly config: PortolanConfig;
  /** Where the server's control port is: a route must not lead there. */
  readonly control?: ListenAddress;
  /** Absolute. */
  readonly dataDir: string;
  /** Signs the cookies of sessions where no file does: the same in all workers. */
  readonly sessionKey: Uint8Array;
}

/** A part of the catalogue, or a change of it. */
export interface CataloguePart {
  readonly update: CatalogueUpdate;
  /** With this part the worker knows all there is. */
  readonly complete: boolean;
}

/** Where a worker listens. */
export interface WorkerListening {
  readonly gateway: ListenAddress;
  /** Of `gateway.listeners`, in their order. */
  readonly more: readonly NamedListener[];
}

/** From the server to a worker. */
export type ToWorker =
  | { readonly kind: 'start'; readonly version: string; readonly settings: WorkerSettings }
  | { readonly kind: 'catalogue'; readonly part: CataloguePart }
  | { readonly kind: 'configure'; readonly settings: WorkerSettings }
  | { readonly kind: 'metrics'; readonly question: number }
  | {
      readonly kind: 'explain';
      readonly question: number;
      readonly request: RequestToExplain;
    }
  | { readonly kind: 'drain' };

/** From a worker to the server. */
export type FromWorker =
  /** The part was taken; the next may follow. */
  | { readonly kind: 'took' }
  | { readonly kind: 'serving'; readonly listening: WorkerListening }
  | { readonly kind: 'failed'; readonly message: string; readonly hints: readonly string[] }
  | { readonly kind: 'configured' }
  | {
      readonly kind: 'metrics';
      readonly question: number;
      readonly metrics: readonly MetricSnapshot[];
    }
  | {
      readonly kind: 'explained';
      readonly question: number;
      readonly explanation: RouteExplanation | undefined;
    }
  | { readonly kind: 'alive'; readonly vitals: WorkerVitals };

/** What a worker says of itself, once a second. */
export interface WorkerVitals {
  readonly stats: GatewayStats;
  readonly residentBytes: number;
  /** Since its start, user and system. */
  readonly cpuMs: number;
}

/** How often a worker says that it lives. */
export const VITALS_EVERY_MS = 1_000;
