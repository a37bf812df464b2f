import {
  type CheckInput,
  DEFAULT_GROUP,
  DEFAULT_NAMESPACE,
  type Problem,
  type RegistrationInput,
  type Route,
  type TrafficPolicy,
} from '@portolan/core';
import { appendKey } from '../body/json-path.ts';
import { validate } from './body/body-codec.ts';
import { policyCodec, toPolicy } from './schemas/policy-schema.ts';
import { registrationCodec, toRegistrationInput } from './schemas/registration-schema.ts';
import { routeCodec, toRoute } from './schemas/route-schema.ts';

/** A document as written, or everything that is wrong with it; paths start at `$`. */
export type ParsedDocument<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly problems: readonly Problem[] };

export interface RegistrationDocumentOptions {
  /** Whether `script: [command, …]` may stand where `http` may. Never for what comes from the network. */
  readonly scripts: boolean;
}

type Command = readonly [string, ...string[]];
type Fields = Readonly<Record<string, unknown>>;

/** A registration as a configuration file holds it: the API's own words, plus script checks where these are allowed. */
export function parseRegistrationDocument(
  document: Fields,
  options: RegistrationDocumentOptions,
): ParsedDocument<RegistrationInput> {
  const problems: Problem[] = [];
  const commands: (Command | undefined)[] = [];
  const plain = (check: unknown, path: string): unknown => {
    const script = isFields(check) ? check.script : undefined;
    const command = script === undefined ? undefined : toCommand(script);
    commands.push(command);
    if (!isFields(check) || script === undefined) return check;
    if (!options.scripts) {
      problems.push({ path: appendKey(path, 'script'), expected: 'checks.scripts to be true' });
    } else if (!command) {
      problems.push({
        path: appendKey(path, 'script'),
        expected: 'a command as a list, such as ["/bin/check", "--fast"]',
      });
    }
    // The API has no word for scripts; the rest of the check is read as any other's.
    const { script: _, ...rest } = check;
    return { ...rest, tcp: '127.0.0.1:1' };
  };
  const { check, checks } = document;
  const body = {
    ...document,
    ...(check === undefined ? {} : { check: plain(check, '$.check') }),
    ...(Array.isArray(checks)
      ? { checks: checks.map((item, at) => plain(item, `$.checks[${at}]`)) }
      : {}),
  };
  const result = validate(registrationCodec, body);
  if (!result.ok) return { ok: false, problems: [...problems, ...result.problems] };
  if (problems.length > 0) return { ok: false, problems };
  const input = toRegistrationInput(result.value);
  if (!input.checks) return { ok: true, value: input };
  const withScripts = input.checks.map((item, at): CheckInput => {
    const command = commands[at];
    return command ? { ...item, probe: { kind: 'script', command } } : item;
  });
  return { ok: true, value: { ...input, checks: withScripts } };
}

/** A route as a configuration file holds it: the API's body with its `name`. */
export function parseRouteDocument(document: Fields, root = '$'): ParsedDocument<Route> {
  const { name, namespace } = document;
  const named = typeof name === 'string' ? name : '';
  const within = typeof namespace === 'string' ? namespace : DEFAULT_NAMESPACE;
  const result = validate(routeCodec(named, within), document, root);
  const unnamed = name === undefined ? [{ path: `${root}.name`, expected: 'a name' }] : [];
  if (!result.ok) return { ok: false, problems: [...unnamed, ...result.problems] };
  if (unnamed.length > 0) return { ok: false, problems: unnamed };
  return { ok: true, value: toRoute(result.value, named, within) };
}

/** A traffic policy as a configuration file holds it: the API's body with its `service`. */
export function parsePolicyDocument(document: Fields, root = '$'): ParsedDocument<TrafficPolicy> {
  const { service, namespace = DEFAULT_NAMESPACE, group = DEFAULT_GROUP } = document;
  const owner = { service: textOr(service), namespace: textOr(namespace), group: textOr(group) };
  const result = validate(policyCodec(owner), document, root);
  const unnamed = service === undefined ? [{ path: `${root}.service`, expected: 'a name' }] : [];
  if (!result.ok) return { ok: false, problems: [...unnamed, ...result.problems] };
  if (unnamed.length > 0) return { ok: false, problems: unnamed };
  return { ok: true, value: toPolicy(result.value, owner) };
}

function textOr(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

function toCommand(script: unknown): Command | undefined {
  if (!Array.isArray(script)) return undefined;
  const [file, ...args] = script as unknown[];
  if (typeof file !== 'string' || file === '') return undefined;
  return args.every((arg) => typeof arg === 'string') ? [file, ...args] : undefined;
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
