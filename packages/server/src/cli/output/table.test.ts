import { describe, expect, test } from 'vitest';
import { renderTable } from './table.ts';

const plain = (text: string) => text;
const heads = ['ID', 'REASON'];
const rows = [['web-10.0.0.1-8080', 'waiting for the first probe to pass']];
const render = (width?: number) =>
  renderTable(heads, rows, { width, headerStyle: plain, flexible: [false, true] });

describe('a table', () => {
  test('is as wide as it needs without a terminal, and empty cells are dashes', () => {
    expect(render()).toBe(
      'ID                 REASON\nweb-10.0.0.1-8080  waiting for the first probe to pass\n',
    );
    expect(renderTable(['A', 'B'], [['', 'x']], { headerStyle: plain })).toBe('A  B\n-  x\n');
  });

  test('cuts only flexible columns, and leaves them out before they say nothing', () => {
    expect(render(30)).toBe('ID                 REASON\nweb-10.0.0.1-8080  waiting fo…\n');
    expect(render(24)).toBe('ID\nweb-10.0.0.1-8080\n');
    expect(render(5)).toBe('ID\nweb-10.0.0.1-8080\n');
  });

  test('shows escape sequences of strangers instead of obeying them', () => {
    const odd = [['\u001b[2J\u202eweb', { text: 'a\nb', style: plain }]];
    expect(renderTable(heads, odd, { headerStyle: plain })).toContain(
      '\\u001b[2J\\u202eweb  a\\u000ab',
    );
  });
});
