import { type ControlReply, isRegistryError, RegistryError } from '@portolan/core';
import { parseJsonBody } from '../../body/json-body.ts';
import type { EurekaContext, EurekaOperation } from '../eureka-context.ts';
import { refused, statusOf } from '../eureka-error.ts';
import { toEurekaInstance } from '../from-instance.ts';
import type { EurekaLifecycle } from '../lifecycle.ts';
import { asWhole, readInstance, readStatus } from '../read-instance.ts';
import { instanceJson } from '../write-json.ts';

const LIMIT_BYTES = 1_024 * 1_024;
/** Eureka's servers send 250 at most. */
const MAX_ITEMS = 1_000;

type Item = Readonly<Record<string, unknown>>;

/** What another Eureka server passes on, so that one can be left behind while both run. */
export function replicationOperations(
  context: EurekaContext,
  lifecycle: EurekaLifecycle,
): EurekaOperation[] {
  async function replicate(item: Item): Promise<object> {
    const app = textOf(item, 'appName');
    const id = textOf(item, 'id');
    const dirty = optional(item, 'lastDirtyTimestamp');
    switch (item.action) {
      case 'Register':
        await lifecycle.register(app, readInstance(item.instanceInfo), true);
        return { statusCode: 200 };
      case 'Heartbeat': {
        const since = dirty === undefined ? undefined : asWhole(dirty, 'lastDirtyTimestamp');
        const renewal = await lifecycle.renew(app, id, since, true);
        if (renewal === 'renewed') return { statusCode: 200 };
        if (renewal === 'unknown') return { statusCode: 404 };
        const entity = JSON.parse(instanceJson(toEurekaInstance(renewal.stale, context)));
        return { statusCode: 409, responseEntity: entity };
      }
      case 'Cancel':
        await lifecycle.cancel(app, id);
        return { statusCode: 200 };
      case 'StatusUpdate':
        await lifecycle.override(app, id, readStatus(item.status, 'status'));
        return { statusCode: 200 };
      case 'DeleteStatusOverride':
        await lifecycle.removeOverride(app, id);
        return { statusCode: 200 };
      default:
        throw refused(
          'action has to be Register, Heartbeat, Cancel, StatusUpdate or DeleteStatusOverride',
        );
    }
  }

  return [
    {
      method: 'POST',
      path: '/peerreplication/batch',
      bodyLimitBytes: LIMIT_BYTES,
      async handle(request): Promise<ControlReply> {
        const responseList: object[] = [];
        // One after the other: an item may build on the one before it.
        for (const item of readItems(request.body)) {
          responseList.push(await replicate(item).catch(toFailure));
        }
        return {
          status: 200,
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify({ responseList }),
        };
      },
    },
  ];
}

function toFailure(error: unknown): object {
  if (!isRegistryError(error)) throw error;
  return { statusCode: statusOf(error) };
}

function readItems(body: Uint8Array): readonly Item[] {
  const value = parseJsonBody(body, { limitBytes: LIMIT_BYTES });
  const list = isObject(value) ? value.replicationList : undefined;
  if (!Array.isArray(list) || !list.every(isObject)) {
    throw refused('replicationList has to be a list of objects');
  }
  if (list.length > MAX_ITEMS) {
    throw new RegistryError('BODY_TOO_LARGE', { detail: `At most ${MAX_ITEMS} items are taken.` });
  }
  return list;
}

function isObject(value: unknown): value is Item {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function textOf(item: Item, name: string): string {
  const value = item[name];
  if (typeof value !== 'string' || value === '') throw refused(`${name} has to be text`);
  return value;
}

function optional(item: Item, name: string): unknown {
  return item[name] === null ? undefined : item[name];
}
