import {
  type Clock,
  type ControlReply,
  type ControlRequest,
  DEFAULT_GROUP,
  DEFAULT_NAMESPACE,
  type ErrorCode,
  type HttpRoute,
  type InstanceRef,
  type Logger,
  type Metrics,
  type Registry,
  RegistryError,
  type RequestClass,
  type RouteExplainer,
  type RouteUpgrade,
  type ServiceKey,
} from '@portolan/core';
import type { z } from 'zod';
import type { ContainerBoard } from '../../providers/docker/container-board.ts';
import { DEFAULT_BODY_LIMIT_BYTES, parseJsonBody } from '../body/json-body.ts';
import type { WatcherBudget } from '../watching/watcher-budget.ts';
import { type BodyCodec, requireValid } from './body/body-codec.ts';
import { requireJsonMediaType } from './body/media-type.ts';
import { nameParameter, type QueryParameters } from './query.ts';
import { isId, isName } from './schemas/fields.ts';
import type { ViewFrames } from './streams/view-frames.ts';

/** A failed delivery as `GET /webhooks/:id/failures` lists it. */
export interface WebhookFailure {
  readonly deliveryId: string;
  readonly revision: number;
  readonly atMs: number;
  readonly attempts: number;
  /** `dropped` when it was never tried for lack of room. */
  readonly outcome: 'failed' | 'dropped';
  readonly reason: string;
}

/** Saves and restores everything; absent where a process holds no store. */
export interface SnapshotPort {
  /** Lines of NDJSON, each with its line feed. */
  save(): AsyncIterable<string>;
  /** Resolves to what was restored, for the answer. `empty` refuses a store that holds something. */
  restore(body: Uint8Array, mode: 'empty' | 'replace'): Promise<object>;
}

export interface RestDeps {
  readonly registry: Registry;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics?: Metrics;
  /** The body of `GET /status`. */
  readonly status: () => object;
  readonly snapshot?: SnapshotPort;
  /** The gateway of this process, once it is there. */
  readonly explainer?: () => RouteExplainer | undefined;
  /** What a Docker Engine's containers came to; absent where none is followed. */
  readonly containers?: () => ContainerBoard | undefined;
  /** Recent failures of one webhook, newest first. */
  readonly webhookFailures?: (id: string) => readonly WebhookFailure[];
}

/** What every handler works with. */
export interface RestContext extends RestDeps {
  readonly watchers: WatcherBudget;
  readonly frames: ViewFrames;
  /** Between the pieces of long answers. */
  readonly turns: () => Promise<void>;
  readonly streamHeartbeatMs: number;
  readonly streamBacklogBytes: number;
}

export interface Answer {
  readonly description: string;
  /** Absent: no body. */
  readonly schema?: z.ZodType;
  /** Default `application/json`. */
  readonly mediaType?: string;
  /** Answered as server-sent events too, on request, or only when there is no schema: the data of each event by its name. */
  readonly events?: Readonly<Record<string, z.ZodType>>;
  readonly headers?: Readonly<Record<string, string>>;
}

/** One call of the API: what the router needs, what the API document says, and what it does. */
export interface Operation {
  readonly id: string;
  readonly tag: string;
  readonly summary: string;
  readonly method: HttpRoute['method'];
  /** Below the base; `alias` paths stand at the root of the port as they are. */
  readonly path: string;
  readonly alias?: string;
  readonly query?: QueryParameters;
  readonly body?: {
    readonly schema?: z.ZodType;
    readonly mediaType?: string;
    readonly required: boolean;
    readonly limitBytes?: number;
  };
  readonly requestHeaders?: Readonly<Record<string, string>>;
  readonly answers: Readonly<Record<number, Answer>>;
  readonly errors: readonly ErrorCode[];
  readonly admission?: RequestClass;
  readonly upgrade?: RouteUpgrade;
  handle(call: Call): ControlReply | Promise<ControlReply>;
}

export interface Call {
  readonly request: ControlRequest;
  readonly params: Readonly<Record<string, string>>;
}

/** Query parameters that say which namespace or group a name in the path belongs to. */
export const NAMESPACE_QUERY: QueryParameters = {
  namespace: { description: 'Default "default".', schema: { type: 'string' } },
};
export const SERVICE_QUERY: QueryParameters = {
  ...NAMESPACE_QUERY,
  group: { description: 'Default "default".', schema: { type: 'string' } },
};

export function namespaceOf(call: Call): string {
  return nameParameter(call.request.query, 'namespace') ?? DEFAULT_NAMESPACE;
}

export function instanceRefOf(call: Call): InstanceRef {
  const id = call.params.id ?? '';
  const namespace = namespaceOf(call);
  if (!isId(id)) throw unknownInstance({ namespace, id: id.slice(0, 64) });
  return { namespace, id };
}

export function unknownInstance(ref: InstanceRef): RegistryError {
  return new RegistryError('INSTANCE_NOT_FOUND', {
    detail: `No instance ${JSON.stringify(ref.id)} in namespace ${ref.namespace}; register it again.`,
  });
}

export function serviceKeyOf(call: Call): ServiceKey {
  const name = call.params.name ?? '';
  if (!isName(name)) {
    throw new RegistryError('SERVICE_NOT_FOUND', {
      detail: `${JSON.stringify(name.slice(0, 64))} cannot be the name of a service.`,
    });
  }
  return {
    namespace: namespaceOf(call),
    group: nameParameter(call.request.query, 'group') ?? DEFAULT_GROUP,
    name,
  };
}

/** The body as strict JSON. */
export function readJson(call: Call, limitBytes = DEFAULT_BODY_LIMIT_BYTES): unknown {
  requireJsonMediaType(call.request.header('content-type'));
  return parseJsonBody(call.request.body, { limitBytes });
}

/** The body, valid. Where a body is optional an empty one counts as `{}`. */
export function readBody<S extends z.ZodType>(
  call: Call,
  codec: BodyCodec<S>,
  options: { readonly optional?: boolean; readonly limitBytes?: number } = {},
): z.output<S> {
  const empty = options.optional === true && call.request.body.length === 0;
  return requireValid(codec, empty ? {} : readJson(call, options.limitBytes));
}
