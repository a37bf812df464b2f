/** The text with its variables replaced, or the names of those that are not set and have no default. */
export type Interpolated =
  | { readonly ok: true; readonly text: string }
  | { readonly ok: false; readonly problem: string };

/**
 * Replaces `${NAME}` and `${NAME:-default}` (the default also when NAME is empty, as in a shell). `$${` stands for
 * `${`. What a variable holds is not looked at again, so a value can never pull in another variable.
 */
export function interpolate(
  text: string,
  environment: Readonly<Record<string, string | undefined>>,
): Interpolated {
  let result = '';
  let at = 0;
  while (at < text.length) {
    const next = text.indexOf('${', at);
    if (next === -1) break;
    if (text[next - 1] === '$' && next - 1 >= at) {
      result += `${text.slice(at, next - 1)}\${`;
      at = next + 2;
      continue;
    }
    const end = text.indexOf('}', next);
    if (end === -1)
      return { ok: false, problem: `"\${" without its "}"; write "$\${" for the text` };
    const expression = text.slice(next + 2, end);
    const match = /^([A-Za-z_][A-Za-z0-9_]*)(?::-(.*))?$/s.exec(expression);
    if (!match) {
      return {
        ok: false,
        problem: `"\${${expression}}" is not \${NAME} or \${NAME:-default}; write "$\${" for the text`,
      };
    }
    const [, name = '', fallback] = match;
    const value = environment[name];
    if (value === undefined && fallback === undefined) {
      return {
        ok: false,
        problem: `the environment variable ${name} is not set and has no default`,
      };
    }
    result += text.slice(at, next);
    result += value === undefined || (value === '' && fallback !== undefined) ? fallback : value;
    at = end + 1;
  }
  return { ok: true, text: result + text.slice(at) };
}
