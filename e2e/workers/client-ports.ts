import { readdir, readFile, readlink } from 'node:fs/promises';

/** The ports of the clients that a process holds connections of, over IPv4. */
export async function clientPortsOf(pid: number): Promise<Set<number>> {
  const inodes = new Set<string>();
  for (const fd of await readdir(`/proc/${pid}/fd`)) {
    const target = await readlink(`/proc/${pid}/fd/${fd}`).catch(() => '');
    const inode = /^socket:\[(\d+)\]$/.exec(target)?.[1];
    if (inode !== undefined) inodes.add(inode);
  }
  const lines = (await readFile('/proc/net/tcp', 'utf8')).split('\n').slice(1);
  const ports = new Set<number>();
  for (const line of lines) {
    const [, , remote = '', , , , , , , inode = ''] = line.trim().split(/\s+/);
    if (inodes.has(inode)) ports.add(Number.parseInt(remote.split(':')[1] ?? '', 16));
  }
  return ports;
}
