import { RegistryError } from '@portolan/core';
import { expect, it } from 'vitest';
import { createHostGuard } from './host-guard.ts';

const guard = createHostGuard(['Registry.Example.com', '*.internal.example']);
const refused = (host: string, method: string, origin?: string): boolean => {
  try {
    guard.check(host, method, origin);
    return false;
  } catch (error) {
    if (error instanceof RegistryError && error.code === 'ORIGIN_FORBIDDEN') return true;
    throw error;
  }
};

it.each([
  '127.0.0.1',
  '[::1]',
  'localhost',
  'portolan',
  'registry.example.com',
  'a.internal.example',
  '',
])('answers under %j', (host) => {
  expect(refused(host, 'POST')).toBe(false);
});

it.each(['rebound.attacker.example', 'example.com', 'internal.example'])(
  'does not answer under %j, whatever the method',
  (host) => {
    expect(refused(host, 'GET')).toBe(true);
    expect(refused(host, 'POST')).toBe(true);
  },
);

it('lets no page of another origin change anything', () => {
  expect(refused('127.0.0.1', 'POST', 'https://attacker.example')).toBe(true);
  expect(refused('127.0.0.1', 'DELETE', 'null')).toBe(true);
  expect(refused('127.0.0.1', 'POST', 'http://127.0.0.1:8500')).toBe(false);
  expect(refused('127.0.0.1', 'POST', 'https://registry.example.com')).toBe(false);
});
