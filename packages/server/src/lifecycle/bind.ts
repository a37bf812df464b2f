import { formatListenAddress, type ListenAddress } from '../config/value-types.ts';
import { StartError } from './start-error.ts';

/** Listens, and says in people's words why not. */
export async function bind<A extends ListenAddress>(
  what: { readonly name: string; readonly setting: string; readonly flag: string | undefined },
  address: ListenAddress,
  listen: (address: ListenAddress) => Promise<A>,
): Promise<A> {
  try {
    return await listen(address);
  } catch (cause) {
    if (cause instanceof StartError) throw cause;
    const shown = formatListenAddress(address);
    const code = (cause as NodeJS.ErrnoException).code ?? String(cause);
    const flag = what.flag === undefined ? '' : `${what.flag} HOST:PORT or `;
    const other = `Choose another with ${flag}${what.setting}.`;
    if (code === 'EADDRINUSE') {
      throw new StartError(`${shown} (${what.name}) is in use by another process. ${other}`, {
        cause,
      });
    }
    if (code === 'EACCES') {
      throw new StartError(`no permission to listen at ${shown} (${what.name}). ${other}`, {
        cause,
      });
    }
    if (code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND') {
      throw new StartError(`${shown} (${what.name}) is no address of this machine. ${other}`, {
        cause,
      });
    }
    if (code === 'ENOTSUP') {
      const why = 'this system cannot share a port between processes (SO_REUSEPORT)';
      throw new StartError(`${shown} (${what.name}): ${why}. Set gateway.workers to 1.`, { cause });
    }
    throw new StartError(`cannot listen at ${shown} (${what.name}): ${code}. ${other}`, { cause });
  }
}
