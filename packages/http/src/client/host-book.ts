import type { HostPool } from './host-pool.ts';

/** Pools by address and then by port, so that finding one makes no key. */
export class HostBook {
  readonly #hosts = new Map<string, Map<number, HostPool>>();

  get(address: string, port: number): HostPool | undefined {
    return this.#hosts.get(address)?.get(port);
  }

  set(address: string, port: number, host: HostPool): void {
    const ports = this.#hosts.get(address);
    if (ports === undefined) this.#hosts.set(address, new Map([[port, host]]));
    else ports.set(port, host);
  }

  /** Takes a pool out and returns it. */
  remove(address: string, port: number): HostPool | undefined {
    const ports = this.#hosts.get(address);
    const host = ports?.get(port);
    if (ports === undefined || host === undefined) return undefined;
    ports.delete(port);
    if (ports.size === 0) this.#hosts.delete(address);
    return host;
  }

  get isEmpty(): boolean {
    return this.#hosts.size === 0;
  }

  *values(): Iterable<HostPool> {
    for (const ports of this.#hosts.values()) yield* ports.values();
  }

  clear(): void {
    this.#hosts.clear();
  }
}
