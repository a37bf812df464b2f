import { expect, test } from 'vitest';
import { createProbes } from './create-probes.ts';
import { deps } from './test-probes/probe-fixtures.ts';

test('createProbes has one probe for each kind that asks', () => {
  expect(createProbes(deps()).map(({ kind }) => kind)).toEqual(['http', 'tcp', 'grpc', 'script']);
});
