import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { grpcMessage, isGrpc, parseGrpcTimeout, toGrpcFailure } from './grpc-failure.ts';

describe('a content type', () => {
  it.each([
    ['application/grpc', true],
    ['application/grpc+proto', true],
    ['Application/gRPC; charset=x', true],
    ['application/grpc-web', false],
    ['application/grpc-web+proto', false],
    ['application/grpcx', false],
    ['application/json', false],
    [undefined, false],
  ])('%s is gRPC: %s', (type, expected) => {
    expect(isGrpc(type)).toBe(expected);
  });
});

describe('a failure of the gateway', () => {
  it.each([
    [503, 'NO_HEALTHY_ENDPOINT', 14],
    [502, 'UPSTREAM_CONNECT_FAILED', 14],
    [504, 'UPSTREAM_TIMEOUT', 4],
    [504, 'REQUEST_TIMEOUT', 4],
    [404, 'NO_ROUTE', 12],
    [405, 'MAX_FORWARDS_REACHED', 12],
    [429, 'RATE_LIMITED', 8],
    [413, 'BODY_TOO_LARGE', 8],
    [401, 'UNAUTHENTICATED', 16],
    [403, 'FORBIDDEN', 7],
    [400, 'TARGET_INVALID', 13],
    [500, 'INTERNAL', 13],
  ])('with status %i and code %s is grpc-status %i', (status, code, grpc) => {
    const failure = toGrpcFailure(status, code, 'Why');
    expect(failure.status).toBe(200);
    expect(failure.lines).toBe(
      `Content-Type: application/grpc\r\nGrpc-Status: ${grpc}\r\nGrpc-Message: ${code}: Why\r\n`,
    );
  });

  it('cannot break the head apart, whatever its message holds', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (text) => {
        const encoded = grpcMessage(text);
        expect(encoded).toMatch(/^[ -~]*$/);
        expect(decodeURIComponent(encoded)).toBe(text.toWellFormed());
      }),
    );
  });
});

describe('grpc-timeout', () => {
  it.each([
    ['1H', 3_600_000],
    ['2M', 120_000],
    ['3S', 3_000],
    ['250m', 250],
    ['1500u', 2],
    ['1n', 1],
    ['0S', 0],
    ['99999999H', 359_999_996_400_000],
    ['123456789S', undefined],
    ['', undefined],
    ['S', undefined],
    ['1', undefined],
    ['1s', undefined],
    ['-1S', undefined],
    ['1.5S', undefined],
    ['1S ', undefined],
  ])('%s is %s ms', (value, expectedMs) => {
    expect(parseGrpcTimeout(value)).toBe(expectedMs);
  });
});
