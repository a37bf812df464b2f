/**
 * A private Docker Engine with the tests' image, until it is interrupted.
 *
 *   node e2e/support/run-docker-engine.ts
 */
import { startDockerEngine, whyNoEngine } from './docker-engine.ts';

const reason = whyNoEngine();
if (reason !== undefined) {
  process.stderr.write(`no Docker Engine can run here: ${reason}\n`);
  process.exit(3);
}
const engine = await startDockerEngine();
process.stdout.write(`DOCKER_HOST=${engine.host}\n`);
const kept = setInterval(() => undefined, 60_000);
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    clearInterval(kept);
    void engine.dispose().then(() => process.exit(0));
  });
}
