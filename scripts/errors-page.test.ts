import { readFileSync } from 'node:fs';
import { ERROR_TABLE } from '@portolan/core';
import { GATEWAY_ERRORS } from '@portolan/gateway';
import { PROTOCOL_ERRORS } from '@portolan/http';
import { describe, expect, test } from 'vitest';
import { EXIT_CODES } from '../packages/server/src/cli/exit-codes.ts';

const PAGE = readFileSync(new URL('../docs/reference/errors.md', import.meta.url), 'utf8');

/** The rows of the table below a heading, by cell. */
function rowsBelow(heading: string): string[][] {
  const section = PAGE.split(`\n## ${heading}\n`)[1]?.split('\n## ')[0] ?? '';
  const lines = section.split('\n').filter((line) => line.startsWith('|'));
  return lines.slice(2).map((line) =>
    line
      .slice(1, -1)
      .split('|')
      .map((cell) => cell.trim()),
  );
}

describe('the page of errors', () => {
  test('has every code of the native API, as the table has it, and what to do about it', () => {
    const rows = rowsBelow('Native API');
    expect(rows.map((row) => row.slice(0, 5))).toEqual(
      Object.entries(ERROR_TABLE).map(([code, { http, grpc, retryable, title }]) => [
        `\`${code}\``,
        String(http),
        grpc,
        retryable ? 'yes' : 'no',
        title,
      ]),
    );
    expect(rows.filter((row) => !row[5])).toEqual([]);
  });

  test('has every answer that the gateway gives by itself, and what to do about it', () => {
    const rows = rowsBelow('Gateway');
    expect(rows.map((row) => row.slice(0, 3))).toEqual(statusRows(GATEWAY_ERRORS));
    expect(rows.filter((row) => !row[3])).toEqual([]);
  });

  test('has every fault that the HTTP engine refuses', () => {
    expect(rowsBelow('Broken HTTP')).toEqual(statusRows(PROTOCOL_ERRORS));
  });

  test('has every exit code of the command line', () => {
    expect(rowsBelow('Exit codes of the command line')).toEqual(
      Object.values(EXIT_CODES).map(({ code, meaning }) => [String(code), meaning]),
    );
  });
});

function statusRows(
  table: Readonly<Record<string, { readonly status: number; readonly message: string }>>,
): string[][] {
  return Object.entries(table).map(([code, row]) => [
    `\`${code}\``,
    String(row.status),
    row.message,
  ]);
}
