import {
  BodyDecoder,
  DEFAULT_SERVER_LIMITS,
  HttpProtocolError,
  parseRequestHead,
} from '@portolan/http';
import type { Reading } from './llhttp-reader.ts';
import type { ReadRequest } from './reading.ts';

const CR = 0x0d;
const LF = 0x0a;

/** Reads requests by the parser and the body decoder that the gateway's connections use, in their order. */
export function readByEngine(bytes: Buffer): Reading<ReadRequest> {
  const requests: ReadRequest[] = [];
  try {
    readAll(bytes, requests);
  } catch (error) {
    if (error instanceof HttpProtocolError) return { messages: requests, fault: error.code };
    throw error;
  }
  return { messages: requests, fault: undefined };
}

function readAll(bytes: Buffer, requests: ReadRequest[]): void {
  const decoder = new BodyDecoder(DEFAULT_SERVER_LIMITS);
  let at = 0;
  while (at < bytes.length) {
    // RFC 9112 §2.2: as the connection does.
    if (bytes[at] === CR && (at + 1 === bytes.length || bytes[at + 1] === LF)) at += 2;
    if (at >= bytes.length) return;
    const head = parseRequestHead(bytes, at, bytes.length, DEFAULT_SERVER_LIMITS);
    if (head === undefined) return;
    at += head.text.length;
    let body = '';
    const request: ReadRequest = {
      method: head.method,
      target: head.target,
      authority: head.text.startsWith(`${head.method} ${head.target} `) ? undefined : head.host,
      minorVersion: head.minorVersion,
      fields: head.raw,
      keepAlive: head.keepAlive,
      upgrade: head.upgrade !== undefined,
      complete: false,
      body,
      trailers: [],
    };
    requests.push(request);
    decoder.start(head.framing);
    const onBodyData = (piece: Buffer): void => {
      body += piece.toString('latin1');
    };
    at = decoder.push(bytes, at, { onBodyData });
    if (!decoder.done) return;
    request.complete = true;
    request.body = body;
    request.trailers = decoder.trailers?.raw ?? [];
    // What follows is not HTTP, or is not read any more.
    if (request.upgrade || !request.keepAlive) return;
  }
}
