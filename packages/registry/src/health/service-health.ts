import type { InstanceRecord } from '../catalogue/instance-record.ts';
import { type MassLossState, NORMAL } from '../protection/mass-loss.ts';

interface LostInstance {
  readonly atMs: number;
  /** As it was when it was lost: what protection restores. */
  readonly record: InstanceRecord;
}

/** What the reconciler remembers of one service between turns. */
export class ServiceHealth {
  state: MassLossState = NORMAL;
  /** Lost within the window and not back, oldest first. */
  readonly lost = new Map<string, LostInstance>();
  /** Lost before protection began: kept after all. */
  readonly saved = new Map<string, InstanceRecord>();

  get isIdle(): boolean {
    return this.state.mode === 'normal' && this.lost.size === 0 && this.saved.size === 0;
  }

  /** Forgets what was lost before `beforeMs`. */
  prune(beforeMs: number): void {
    for (const [key, { atMs }] of this.lost) {
      if (atMs > beforeMs) return;
      this.lost.delete(key);
    }
  }

  /** Protection began: losses of the window, spread over time or not, are part of the mass loss. */
  saveLost(): void {
    for (const [key, { record }] of this.lost) this.saved.set(key, record);
    this.lost.clear();
  }

  forget(key: string): void {
    this.lost.delete(key);
    this.saved.delete(key);
  }
}
