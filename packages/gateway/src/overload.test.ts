import { afterEach, describe, expect, it } from 'vitest';
import { aRawUpstream, type RawPeer } from './test-rig/raw-peer.ts';
import { aGateway, ask, cleanUp } from './test-rig/running-gateway.ts';
import { anInstance } from './test-rig/settable-catalogue.ts';

afterEach(cleanUp);

describe('a gateway that has enough to do', () => {
  it('refuses more at once, before their bodies, and serves again when some have ended', async () => {
    const held: RawPeer[] = [];
    const upstream = await aRawUpstream((peer) => {
      held.push(peer);
    });
    const { port, catalogue } = await aGateway({ overload: { maxRequests: 2, lagMs: 0 } });
    catalogue.set('web', [anInstance(upstream.port)]);
    const first = [ask(port, '/web/'), ask(port, '/web/')];
    while (held.length < 2) await new Promise((resolve) => setImmediate(resolve));
    const shed = await ask(port, '/web/', { method: 'POST', body: 'x'.repeat(1_000) });
    expect([shed.status, shed.headers['retry-after']]).toEqual([503, '1']);
    expect(JSON.parse(shed.body).error.code).toBe('OVERLOADED');
    for (const peer of held) peer.send('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n');
    expect((await Promise.all(first)).map(({ status }) => status)).toEqual([200, 200]);
    for (const peer of held) peer.socket.destroy();
    const later = ask(port, '/web/');
    while (held.length < 3) await new Promise((resolve) => setImmediate(resolve));
    held[2]?.send('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n');
    expect((await later).status).toBe(200);
  });
});
