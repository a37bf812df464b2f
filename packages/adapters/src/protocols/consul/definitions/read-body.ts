import type { ControlRequest } from '@portolan/core';
import { parseJsonBody } from '../../body/json-body.ts';
import { badRequest } from '../consul-error.ts';
import type { Decoder } from './go-decoder.ts';

/** The body as the decoder reads it. The media type does not matter: curl says "form" of every body. */
export function readBody<T>(request: ControlRequest, decoder: Decoder<T>): T {
  if (request.body.length === 0) throw badRequest('Request decode failed: EOF');
  const body = decoder.decode(parseJsonBody(request.body), '');
  if (body === undefined) throw badRequest('Request decode failed: EOF');
  return body;
}
