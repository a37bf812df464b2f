import { describe, expect, it } from 'vitest';
import { clientAddress } from './client-address.ts';
import { createPeers } from './trusted-peers.ts';

const peerOf = createPeers(['10.0.0.0/8', 'fd00::/8']);
const told = (peer: string, forwardedFor: string | undefined): string =>
  clientAddress(peerOf(peer), { joined: () => forwardedFor }, peerOf);

describe('the client address', () => {
  it('is the peer, whatever an untrusted peer says', () => {
    expect(told('192.0.2.7', undefined)).toBe('192.0.2.7');
    expect(told('192.0.2.7', '203.0.113.1')).toBe('192.0.2.7');
  });

  it('is the last address that no trusted proxy has', () => {
    expect(told('10.0.0.1', '203.0.113.1')).toBe('203.0.113.1');
    expect(told('10.0.0.1', '198.51.100.9, 203.0.113.1, 10.0.0.2')).toBe('203.0.113.1');
    expect(told('fd00::1', '2001:db8::1,fd00::2')).toBe('2001:db8::1');
  });

  it('is the farthest trusted proxy when nobody stands before it', () => {
    expect(told('10.0.0.1', '10.0.0.3, 10.0.0.2')).toBe('10.0.0.3');
    expect(told('10.0.0.1', undefined)).toBe('10.0.0.1');
  });

  it('stops at what is no address', () => {
    expect(told('10.0.0.1', '203.0.113.1, unknown, 10.0.0.2')).toBe('10.0.0.2');
    expect(told('10.0.0.1', '')).toBe('10.0.0.1');
  });
});
