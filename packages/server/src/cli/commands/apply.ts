import type { CompiledDocument, CompiledFile, DocumentProblem } from '@portolan/adapters';
import type { ApplyBody, PortolanClient, RouteDocument } from '@portolan/client';
import type { Command } from 'commander';
import { CliError } from '../cli-error.ts';
import type { CliContext } from '../context.ts';
import { printJson } from '../output/print.ts';
import { readText } from '../read-document.ts';
import { clientFor, globalOptions } from '../registry-client.ts';

interface ApplyOptions {
  readonly file: string;
  readonly dryRun?: true;
}

/** What became of one document. */
interface Applied {
  readonly kind: 'route' | 'policy';
  readonly name: string;
  readonly namespace: string;
  readonly outcome: 'created' | 'configured' | 'unchanged' | 'deleted' | 'valid';
}

/** `portolan apply`. */
export function addApply(program: Command, context: CliContext): void {
  program
    .command('apply')
    .summary('write routes and traffic policies of a file, or Istio’s documents, in one commit')
    .description(
      'Writes what a YAML file holds: routes and policies as the configuration has them, and what Istio’s VirtualService and DestinationRule documents come to. All in one commit: a file with a problem changes nothing.',
    )
    .requiredOption('-f, --file <file>', 'read this file; - is standard input')
    .option('--dry-run', 'only check the file')
    .action(async (options: ApplyOptions, command: Command) => {
      const text = await readText(options.file, context);
      const { compileFile } = await import('@portolan/adapters');
      const file: CompiledFile = compileFile(text);
      if (file.problems.length > 0) {
        const lines = file.problems.map((problem) => describe(options.file, problem));
        throw new CliError(`nothing was changed.\n${lines.join('\n')}`, { exit: 'usage' });
      }
      for (const warning of file.warnings) {
        context.stderr.write(`portolan: ${describe(options.file, warning)}\n`);
      }
      if (file.documents.length === 0) {
        throw new CliError(`${options.file} holds no document.`, { exit: 'usage' });
      }
      const applied = options.dryRun
        ? file.documents.map((document): Applied => ({ ...toName(document), outcome: 'valid' }))
        : await applyAll(clientFor(command, context), file.documents);
      if (globalOptions(command).output === 'json') printJson({ applied }, context);
      else {
        for (const { kind, namespace, name, outcome } of applied) {
          context.stdout.write(`${kind}/${name} ${outcome} (namespace ${namespace})\n`);
        }
      }
    });
}

async function applyAll(
  client: PortolanClient,
  documents: readonly CompiledDocument[],
): Promise<readonly Applied[]> {
  // Only a VirtualService comes to routes of which some may be left over from before.
  const compiled = documents.some(({ kind, asWritten }) => kind === 'route' && !asWritten);
  const listed = compiled ? await client.routes.list({ namespace: '*' }) : [];
  const routes = new Map(listed.map((route) => [`${route.namespace}/${route.name}`, route]));
  const of = (kind: CompiledDocument['kind']) =>
    documents.filter((one) => one.kind === kind).map(({ document }) => document);
  const { applied } = await client.apply({
    policies: of('policy') as unknown as NonNullable<ApplyBody['policies']>,
    routes: of('route') as unknown as NonNullable<ApplyBody['routes']>,
    delete: {
      routes: leftOver(documents, routes).map(({ name, namespace, modifyRevision }) => ({
        name,
        namespace,
        revision: modifyRevision,
      })),
    },
  });
  return applied;
}

/** Routes of rules that a document had when it was longer: its name, a number, and the priority of that place. */
function leftOver(
  documents: readonly CompiledDocument[],
  routes: ReadonlyMap<string, RouteDocument>,
): readonly RouteDocument[] {
  const written = new Set(documents.map(({ namespace, name }) => `${namespace}/${name}`));
  const gone: RouteDocument[] = [];
  for (const { kind, namespace, name, asWritten } of documents) {
    if (kind !== 'route' || asWritten) continue;
    for (let place = 2; place < 1_000; place++) {
      const key = `${namespace}/${name}-${place}`;
      const route = routes.get(key);
      if (written.has(key)) continue;
      if (route?.priority !== 1_001 - place) break;
      gone.push(route);
    }
  }
  return gone;
}

function toName({ kind, name, namespace }: CompiledDocument) {
  return { kind, name, namespace };
}

function describe(file: string, { line, column, path, message }: DocumentProblem): string {
  return `${file}:${line}:${column}: ${path === '' ? '' : `${path}: `}${message}`;
}
