/** One of the Node proxies people use today, balancing over two upstreams: `node node-proxy-peer.ts NAME PORT UP1 UP2`. */
import { createServer } from 'node:http';

const [name, port, ...upstreamPorts] = process.argv.slice(2);
const origins = upstreamPorts.map((upstream) => `http://127.0.0.1:${upstream}`);
let turn = 0;
const nextOrigin = (): string => origins[turn++ % origins.length] as string;
const listenPort = Number(port);

switch (name) {
  case 'http-proxy': {
    const { default: httpProxy } = await import('http-proxy');
    const { Agent } = await import('node:http');
    const agent = new Agent({ keepAlive: true, maxSockets: 256 });
    const proxy = httpProxy.createProxyServer({ agent, xfwd: true });
    createServer((request, reply) => proxy.web(request, reply, { target: nextOrigin() })).listen(
      listenPort,
      '127.0.0.1',
    );
    break;
  }
  case '@fastify/http-proxy': {
    const { default: fastify } = await import('fastify');
    const { default: plugin } = await import('@fastify/http-proxy');
    const app = fastify();
    await app.register(plugin, {
      upstream: '',
      replyOptions: { getUpstream: nextOrigin },
      undici: { connections: 256, pipelining: 1 },
    } as never);
    await app.listen({ host: '127.0.0.1', port: listenPort });
    break;
  }
  case 'fast-proxy': {
    const { default: fastProxy } = await import('fast-proxy');
    const proxies = origins.map((base) => fastProxy({ base }));
    createServer((request, reply) => {
      proxies[turn++ % proxies.length]?.proxy(request, reply, request.url ?? '/', {});
    }).listen(listenPort, '127.0.0.1');
    break;
  }
  default:
    console.error(`unknown proxy ${name}`);
    process.exit(2);
}
