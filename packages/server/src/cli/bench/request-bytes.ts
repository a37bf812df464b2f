/** A whole HTTP/1.1 request, with its body as JSON. */
export function requestBytes(method: string, path: string, host: string, body?: unknown): Buffer {
  const json = body === undefined ? '' : JSON.stringify(body);
  const about =
    body === undefined
      ? ''
      : `Content-Type: application/json\r\nContent-Length: ${Buffer.byteLength(json)}\r\n`;
  return Buffer.from(`${method} ${path} HTTP/1.1\r\nHost: ${host}\r\n${about}\r\n${json}`);
}
