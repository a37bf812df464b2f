import { RegistryError } from '@portolan/core';
import { expect, it } from 'vitest';
import { createSystemAdapter } from './system-adapter.ts';

const request = { method: 'GET', path: '/api/v1/services', requestId: 'r-1' };
const missing = new RegistryError('PATH_NOT_FOUND', { detail: 'There is nothing.' });

function anAdapter(starting: boolean) {
  return createSystemAdapter({
    readiness: { reasons: () => [] },
    starting: () => starting,
    about: () => '',
  });
}

it('says of a path that is not there yet to try again, not that there is none', () => {
  const { status, headers, body } = anAdapter(true).renderError(missing, request);
  expect([status, headers['retry-after']]).toEqual([503, '1']);
  expect(JSON.parse(String(body))).toMatchObject({
    type: 'urn:portolan:error:STARTING',
    instance: 'r-1',
    retryable: true,
  });
});

it('says of a path that is not there that there is none', () => {
  expect(anAdapter(false).renderError(missing, request).status).toBe(404);
});
