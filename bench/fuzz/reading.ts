import type { LlhttpHead, ReadBody } from './llhttp-reader.ts';

/** One request as a parser understood it. */
export interface ReadRequest extends ReadBody {
  readonly method: string;
  /** Origin-form, or `*`. */
  readonly target: string;
  /** The authority of an absolute-form target; undefined for any other form. */
  readonly authority: string | undefined;
  readonly minorVersion: number;
  /** Names and values in turn, as received. */
  readonly fields: readonly string[];
  readonly keepAlive: boolean;
  readonly upgrade: boolean;
}

/** The request that llhttp sees in a head. */
export function toReadRequest(head: LlhttpHead): ReadRequest {
  const { method, minorVersion, fields, keepAlive, upgrade } = head;
  const absolute = /^https?:\/\/([^/?]*)(.*)$/i.exec(head.target);
  const rest = absolute?.[2] ?? head.target;
  return {
    ...{ method, minorVersion, fields, keepAlive, upgrade },
    target: absolute !== null && !rest.startsWith('/') ? `/${rest}` : rest,
    authority: absolute?.[1],
    complete: false,
    body: '',
    trailers: [],
  };
}
