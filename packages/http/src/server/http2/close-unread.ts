import { constants, type ServerHttp2Stream } from 'node:http2';

/**
 * RFC 9113 §8.1: after a whole response, the rest of its request is not wanted. Only then: a close that waits for its stream to
 * be written has the runtime write without end when the session is destroyed meanwhile (seen in Node.js 24.21).
 */
export function closeUnread(stream: ServerHttp2Stream): void {
  const close = (): void => stream.close(constants.NGHTTP2_NO_ERROR);
  if (stream.writableFinished) close();
  else stream.once('finish', close);
}
