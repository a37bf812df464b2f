import { type FSWatcher, watch } from 'node:fs';
import { basename, dirname } from 'node:path';
import type { Clock, TimerHandle } from '@portolan/core';

/** Editors and orchestrators write in several steps. */
const SETTLE_MS = 150;

/** Calls `onChange` some time after one of the files was changed, made, replaced or removed. Returns what ends it. */
export function watchConfigFiles(
  paths: readonly string[],
  onChange: () => void,
  deps: {
    readonly clock: Clock;
    /** The folder's changes are not, or no longer, seen. */
    readonly onFault: (error: Error, folder: string) => void;
  },
): () => void {
  const watchers: FSWatcher[] = [];
  let timer: TimerHandle | undefined;
  const names = new Set(paths.map((path) => basename(path)));
  // The folders, not the files: a file that is replaced is another file.
  for (const folder of new Set(paths.map((path) => dirname(path)))) {
    try {
      const watcher = watch(folder, { persistent: false }, (_event, name) => {
        // Kubernetes swaps a link named `..data` and touches nothing else.
        if (name !== null && !names.has(name) && !name.startsWith('..')) return;
        timer?.cancel();
        timer = deps.clock.setTimer(SETTLE_MS, onChange);
      });
      watcher.on('error', (error) => deps.onFault(error, folder));
      watchers.push(watcher);
    } catch (error) {
      deps.onFault(error as Error, folder);
    }
  }
  return () => {
    timer?.cancel();
    for (const watcher of watchers) watcher.close();
  };
}
