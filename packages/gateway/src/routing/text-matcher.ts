import type { FieldMatch, TextMatch } from '@portolan/core';
import { RE2JS } from 're2js';

/** Says whether a text is meant. */
export type TextMatcher = (text: string) => boolean;

/** Compiles a comparison of a text. Throws a RangeError for a pattern that is none. */
export function compileTextMatch(match: TextMatch): TextMatcher {
  if ('exact' in match) {
    const { exact } = match;
    return (text) => text === exact;
  }
  if ('prefix' in match) {
    const { prefix } = match;
    return (text) => text.startsWith(prefix);
  }
  return compilePattern(match.regex);
}

/** As `compileTextMatch`, for something that may be absent. Only `present: false` holds for what is not there. */
export function compileFieldMatch(match: FieldMatch): (text: string | undefined) => boolean {
  if ('present' in match) {
    const { present } = match;
    return (text) => (text !== undefined) === present;
  }
  const matches = compileTextMatch(match);
  return (text) => text !== undefined && matches(text);
}

/** A pattern over the whole text, in time linear in its length (RE2). Throws a RangeError for one that is none. */
export function compilePattern(regex: string, options?: { ignoreCase?: boolean }): TextMatcher {
  let pattern: RE2JS;
  try {
    pattern = RE2JS.compile(regex, options?.ignoreCase ? RE2JS.CASE_INSENSITIVE : 0);
  } catch (cause) {
    throw new RangeError(`"${regex}" is not a pattern in RE2's syntax`, { cause });
  }
  return (text) => pattern.testExact(text);
}
