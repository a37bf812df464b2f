// Ends with 0 when the server in this container is ready. Asks where PORTOLAN_CONTROL says that it listens.
const listen = process.env.PORTOLAN_CONTROL ?? process.env.PORTOLAN_CONTROL_LISTEN ?? '';
const [, host = '', port = '8500'] = /^(.*):(\d+)$/.exec(listen) ?? [];
const isEverywhere = host === '' || host === '0.0.0.0' || host === '[::]';
try {
  const { status } = await fetch(`http://${isEverywhere ? '127.0.0.1' : host}:${port}/readyz`, {
    signal: AbortSignal.timeout(2_500),
  });
  // Not by `exit` in the middle of a write: the text is what `docker inspect` shows.
  process.stdout.write(`readyz ${status}\n`);
  process.exitCode = status === 200 ? 0 : 1;
} catch (error) {
  process.stdout.write(`${error instanceof Error ? (error.cause ?? error) : error}\n`);
  process.exitCode = 1;
}
