import { isRegistryError } from '@portolan/core';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseJsonBody } from './json-body.ts';

const bytes = (text: string) => new TextEncoder().encode(text);

function refusal(body: Uint8Array, limits = {}): { code: string; detail: string } {
  try {
    parseJsonBody(body, limits);
  } catch (error) {
    if (isRegistryError(error)) return { code: error.code, detail: error.message };
    throw error;
  }
  return { code: 'accepted', detail: '' };
}

describe('parseJsonBody', () => {
  it('reads whatever JSON.stringify writes of ordinary data', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 5 }), (value) => {
        const text = JSON.stringify(value);
        if (/"(__proto__|constructor|prototype)":/.test(text)) return;
        expect(parseJsonBody(bytes(text), { limitBytes: 1e7 })).toEqual(JSON.parse(text));
      }),
    );
  });

  it('never throws anything but a RegistryError, whatever the bytes', () => {
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array(), fc.string().map(bytes)), (body) => {
        refusal(body);
      }),
    );
  });

  it.each([
    ['{"a":1,', 'BODY_MALFORMED', 'ends too early, at position 7'],
    ['{"a":tru', 'BODY_MALFORMED', 'ends too early, at position 8'],
    ['{"a":1}}', 'BODY_MALFORMED', 'position 7'],
    ['{"a":1,"a":2}', 'BODY_MALFORMED', '$.a is given twice'],
    ['[{"b":{"c":1,"\\u0063":2}}]', 'BODY_MALFORMED', '$[0].b.c is given twice'],
    ['', 'BODY_MALFORMED', 'ends too early'],
    ['\ufeff{}', 'BODY_MALFORMED', 'byte order mark'],
    ['{"a":{"__proto__":{}}}', 'BODY_FORBIDDEN_KEY', '__proto__'],
    ['{"\\u005f_proto__":1}', 'BODY_FORBIDDEN_KEY', '__proto__'],
    ['[{"constructor":1}]', 'BODY_FORBIDDEN_KEY', 'constructor'],
  ])('refuses %j as %s', (text, code, detail) => {
    const found = refusal(bytes(text));
    expect(found.code).toBe(code);
    expect(found.detail).toContain(detail);
  });

  it('counts depth before parsing, so that no nesting can exhaust the stack', () => {
    expect(refusal(bytes('['.repeat(1e6)), { limitBytes: 1e7 }).code).toBe('BODY_TOO_DEEP');
  });

  it('refuses bytes that are not UTF-8 and bodies over the limit', () => {
    expect(refusal(new Uint8Array([0x22, 0xff, 0x22])).code).toBe('BODY_NOT_UTF8');
    expect(refusal(bytes('[1,2,3]'), { limitBytes: 3 }).code).toBe('BODY_TOO_LARGE');
  });
});
