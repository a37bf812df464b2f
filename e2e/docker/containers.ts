import { WITH_NODE } from '../support/docker-engine.ts';

/** BusyBox's web server at the port, answering `/` with the container's id, or with a text. */
export function webServer(port = 80, text = '$(hostname)'): readonly string[] {
  // As a child of the shell, which ends at once when it is told to: the first process of a container ignores signals it does not name.
  const script = `echo "${text}" > /www/index.html; httpd -f -p ${port} -h /www & trap 'exit 0' TERM; wait`;
  return ['sh', '-c', script];
}

const GRACEFUL = `
const http = require('node:http');
const name = process.env.NAME || require('node:os').hostname();
const server = http.createServer((q, s) => {
  s.setHeader('x-served-by', name);
  setTimeout(() => s.end(name), Number(process.env.DELAY_MS || 5));
});
server.keepAliveTimeout = 30000;
process.on('SIGTERM', () => { server.close(() => process.exit(0)); server.closeIdleConnections(); });
server.listen(80, '0.0.0.0');
`;

/** A service in Node that stops as good services do: it closes its port at once and finishes what it has begun. */
export function gracefulService(
  name: string,
  options: readonly string[] = [],
): { readonly options: readonly string[]; readonly command: readonly string[] } {
  return {
    options: [...WITH_NODE, '-e', `NAME=${name}`, ...options],
    command: ['/node/node', '-e', GRACEFUL],
  };
}
