import { type ControlReply, type ControlRequest, RegistryError } from '@portolan/core';
import { illegal, missing } from '../nacos-error.ts';
import { readFlag } from '../nacos-instance.ts';

export type ApiVersion = 'v1' | 'v2' | 'v3';

/** Parameters of a request, from its query and its form; the query's count first. */
export interface Parameters {
  get(...names: readonly string[]): string | undefined;
  required(name: string): string;
  flag(fallback: boolean, ...names: readonly string[]): boolean;
  whole(name: string, fallback?: number): number;
}

/** What an operation answers: a word or a document, wrapped as its version wants. */
export type NacosAnswer = string | object;

export interface NacosCall {
  readonly api: ApiVersion;
  readonly request: ControlRequest;
  readonly parameters: Parameters;
}

const utf8 = new TextDecoder('utf-8', { fatal: true });

export function readParameters(request: ControlRequest): Parameters {
  const { query } = request;
  const form = readForm(request);
  const get = (...names: readonly string[]): string | undefined => {
    for (const name of names) {
      const value = query.get(name) ?? form?.get(name);
      if (value !== null && value !== undefined && value !== '') return value;
    }
    return undefined;
  };
  const required = (name: string): string => {
    const value = get(name);
    if (value === undefined) throw missing(name);
    return value;
  };
  return {
    get,
    required,
    flag: (fallback, ...names) => readFlag(get(...names), names[0] ?? '', fallback),
    whole(name, fallback) {
      const text = fallback === undefined ? required(name) : (get(name) ?? String(fallback));
      if (!/^\d{1,9}$/.test(text)) throw illegal(name, 'a whole number', text);
      return Number(text);
    },
  };
}

/** A body is a form, or there is none. */
function readForm(request: ControlRequest): URLSearchParams | undefined {
  const { body } = request;
  if (body.length === 0) return undefined;
  const type = request.header('content-type')?.toLowerCase() ?? '';
  if (type !== '' && !type.startsWith('application/x-www-form-urlencoded')) {
    throw new RegistryError('MEDIA_TYPE_UNSUPPORTED', {
      detail: 'A body has to be application/x-www-form-urlencoded.',
    });
  }
  try {
    return new URLSearchParams(utf8.decode(body));
  } catch {
    throw new RegistryError('BODY_NOT_UTF8', {
      detail: 'The body holds a byte sequence that is not UTF-8.',
    });
  }
}

export function toReply(api: ApiVersion, answer: NacosAnswer, status = 200): ControlReply {
  if (api !== 'v1') return jsonReply({ code: 0, message: 'success', data: answer }, status);
  return typeof answer === 'string' ? textReply(answer, status) : jsonReply(answer, status);
}

export function jsonReply(value: unknown, status = 200): ControlReply {
  return {
    status,
    headers: { 'content-type': 'application/json;charset=UTF-8', 'cache-control': 'no-store' },
    body: JSON.stringify(value),
  };
}

export function textReply(text: string, status = 200): ControlReply {
  return {
    status,
    headers: { 'content-type': 'text/plain;charset=UTF-8', 'cache-control': 'no-store' },
    body: text,
  };
}
