/** What earlier replies of a file were found to hold, by name. */
export type Captures = Map<string, unknown>;

const PLACEHOLDER = /^\{\{(any|integer|string|instant)(?: as (\w+))?\}\}$/;
const REFERENCE = /\{\{(\w+)\}\}/g;
const INSTANT = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z$/;
const ANY_OTHER_MEMBERS = '...';

const KINDS: Readonly<Record<string, (value: unknown) => boolean>> = {
  any: () => true,
  integer: Number.isInteger,
  string: (value) => typeof value === 'string',
  instant: (value) => typeof value === 'string' && INSTANT.test(value),
};

/** Puts captured values where a text names them: `{{name}}`. */
export function fillIn(text: string, captures: Captures): string {
  return text.replace(REFERENCE, (whole, name: string) =>
    captures.has(name) ? String(captures.get(name)) : whole,
  );
}

/**
 * Where `actual` is not as `expected` says. A string `{{any}}`, `{{integer}}`, `{{string}}` or `{{instant}}` stands for
 * any such value, with ` as name` it is captured, `{{name}}` is what was captured; a member `"...": ""` allows others.
 */
export function differences(
  expected: unknown,
  actual: unknown,
  captures: Captures,
  path = '$',
): string[] {
  if (typeof expected === 'string') return textDifferences(expected, actual, captures, path);
  if (Array.isArray(expected)) {
    if (!Array.isArray(actual)) return [`${path}: expected a list, found ${show(actual)}`];
    if (actual.length !== expected.length) {
      return [
        `${path}: expected ${expected.length} entries, found ${actual.length}: ${show(actual)}`,
      ];
    }
    return expected.flatMap((item, at) =>
      differences(item, actual[at], captures, `${path}[${at}]`),
    );
  }
  if (typeof expected !== 'object' || expected === null) {
    return expected === actual
      ? []
      : [`${path}: expected ${show(expected)}, found ${show(actual)}`];
  }
  if (typeof actual !== 'object' || actual === null || Array.isArray(actual)) {
    return [`${path}: expected an object, found ${show(actual)}`];
  }
  const found: string[] = [];
  for (const [key, value] of Object.entries(expected)) {
    if (key === ANY_OTHER_MEMBERS) continue;
    if (Object.hasOwn(actual, key)) {
      found.push(...differences(value, Reflect.get(actual, key), captures, `${path}.${key}`));
    } else found.push(`${path}.${key}: expected ${show(value)}, found nothing`);
  }
  if (!Object.hasOwn(expected, ANY_OTHER_MEMBERS)) {
    for (const [key, value] of Object.entries(actual)) {
      if (!Object.hasOwn(expected, key))
        found.push(`${path}.${key}: not expected, found ${show(value)}`);
    }
  }
  return found;
}

function textDifferences(
  expected: string,
  actual: unknown,
  captures: Captures,
  path: string,
): string[] {
  const [, kind, name] = PLACEHOLDER.exec(expected) ?? [];
  if (kind !== undefined) {
    if (!KINDS[kind]?.(actual)) return [`${path}: expected ${kind}, found ${show(actual)}`];
    if (name !== undefined) captures.set(name, actual);
    return [];
  }
  const whole = /^\{\{(\w+)\}\}$/.exec(expected)?.[1];
  const wanted =
    whole !== undefined && captures.has(whole) ? captures.get(whole) : fillIn(expected, captures);
  return wanted === actual ? [] : [`${path}: expected ${show(wanted)}, found ${show(actual)}`];
}

function show(value: unknown): string {
  const text = JSON.stringify(value) ?? 'nothing';
  return text.length > 400 ? `${text.slice(0, 399)}…` : text;
}
