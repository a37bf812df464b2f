import { expect, it } from 'vitest';
import { toReservedLabels, toServiceMeta } from './reserved-labels.ts';

it('shows what the registrant said and no note of any dialect', () => {
  const reserved = toReservedLabels({ node: 'n1', portless: true });
  const noted = { 'eureka.vipAddress': 'web', 'nacos.cluster': 'c', ...reserved };
  expect(toServiceMeta({ version: 'v1', ...noted })).toEqual({ version: 'v1' });
  const plain = { version: 'v1', 'eureka-zone': 'a' };
  expect(toServiceMeta(plain)).toBe(plain);
});
