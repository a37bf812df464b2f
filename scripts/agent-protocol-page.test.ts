import { readFileSync } from 'node:fs';
import {
  AGENT_LIMITS,
  AGENT_PATH,
  AGENT_PROTOCOL,
  FRAME,
  FRAME_HEADER_BYTES,
} from '@portolan/core';
import { expect, test } from 'vitest';
import { DEFAULT_AGENT_TIMES } from '../packages/adapters/src/protocols/agent/agent-connection.ts';

const PAGE = readFileSync(new URL('../docs/reference/agent-protocol.md', import.meta.url), 'utf8');

/** The cells of the table whose head begins with this. */
function rowsOf(head: string): string[][] {
  const [, table = ''] = PAGE.split(`\n| ${head} |`);
  const lines = (table.split('\n\n')[0] ?? '').split('\n').slice(2);
  return lines.map((line) =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim().replaceAll('`', '')),
  );
}

test('the page of the agent protocol has every frame, limit and time as the code has them', () => {
  expect(rowsOf('frame').map(([name, type]) => [name, Number(type)])).toEqual(
    Object.entries(FRAME),
  );
  expect(rowsOf('limit').map(([name, value]) => [name, Number(value)])).toEqual(
    Object.entries(AGENT_LIMITS),
  );
  expect(rowsOf('time').map(([name, value]) => [name, Number(value)])).toEqual(
    Object.entries(DEFAULT_AGENT_TIMES),
  );
  expect(PAGE).toContain(`GET ${AGENT_PATH} HTTP/1.1\n`);
  expect(PAGE).toContain(`Upgrade: ${AGENT_PROTOCOL}\n`);
  const header = rowsOf('bytes').slice(0, 3);
  expect(header.reduce((sum, [bytes]) => sum + Number(bytes), 0)).toBe(FRAME_HEADER_BYTES);
});

test('and says of every frame from whom it comes', () => {
  for (const [name = '', type, from] of rowsOf('frame')) {
    const expected =
      name === 'PING' || name === 'PONG' ? 'both' : Number(type) < 16 ? 'client' : 'server';
    expect([name, from]).toEqual([name, expected]);
  }
});
