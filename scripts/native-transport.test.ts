import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { buildNativeTransport } from './native-transport.mjs';

const folder = mkdtempSync(join(tmpdir(), 'portolan-native-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const compiles = process.platform === 'linux' && spawnSync('cc', ['--version']).status === 0;

describe.skipIf(process.platform !== 'linux')('the native transport (Linux only)', () => {
  it('is left out, with a reason, where there is no compiler', () => {
    const target = join(folder, 'none', 'transport.node');
    const remark = buildNativeTransport(target, join(folder, 'no-such-compiler'));
    expect(remark).toContain('no C compiler');
    expect(existsSync(target)).toBe(false);
  });

  it('is left out, with what the compiler says, where it does not compile', () => {
    const compiler = join(folder, 'compiler');
    writeFileSync(compiler, '#!/bin/sh\necho broken >&2\nexit 1\n', { mode: 0o755 });
    const target = join(folder, 'failed', 'transport.node');
    expect(buildNativeTransport(target, compiler)).toMatch(/broken\n.*not built/);
    expect(readdirSync(join(folder, 'failed'))).toEqual([]);
  });

  it.skipIf(!compiles)(`is compiled once${compiles ? '' : ' (skipped: no cc here)'}`, () => {
    const target = join(folder, 'made', 'transport.node');
    expect(buildNativeTransport(target)).toBeUndefined();
    expect(readdirSync(join(folder, 'made'))).toEqual(['transport.node']);
    // A compiler that is not there shows that none is asked.
    expect(buildNativeTransport(target, join(folder, 'no-such-compiler'))).toBeUndefined();
    expect(existsSync(target)).toBe(true);
  });
});
