import { describe, expect, it } from 'vitest';
import { isGrpcRequest, requestLimitMs } from './grpc-request.ts';

function asked(method: string, fields: Readonly<Record<string, string>>) {
  return { method, get: (name: string) => fields[name] };
}

describe('a gRPC request', () => {
  it('is a POST of that type', () => {
    expect(isGrpcRequest(asked('POST', { 'content-type': 'application/grpc+proto' }))).toBe(true);
    expect(isGrpcRequest(asked('GET', { 'content-type': 'application/grpc' }))).toBe(false);
    expect(isGrpcRequest(asked('POST', { 'content-type': 'application/grpc-web' }))).toBe(false);
  });

  it('may take as long as its deadline says, but no longer than the route lets it', () => {
    expect(requestLimitMs(asked('POST', { 'grpc-timeout': '50m' }), 1_000)).toBe(50);
    expect(requestLimitMs(asked('POST', { 'grpc-timeout': '1H' }), 1_000)).toBe(1_000);
    expect(requestLimitMs(asked('POST', { 'grpc-timeout': 'soon' }), 1_000)).toBe(1_000);
    expect(requestLimitMs(asked('GET', { 'grpc-timeout': '50m' }), 1_000)).toBe(1_000);
  });
});
