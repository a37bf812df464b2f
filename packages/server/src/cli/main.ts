import { holdProcess } from '@portolan/client';
import { createProcessContext } from './context.ts';
import { runCli } from './program.ts';

// A reader that went away (`portolan watch | head`) is no fault.
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(0);
    throw error;
  });
}
const release = holdProcess();
process.exitCode = await runCli(process.argv.slice(2), createProcessContext());
release();
