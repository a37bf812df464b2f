/** What a slash begins: a pattern after these, a division after anything else. */
const BEFORE_PATTERN =
  /(?:^|[(,=:[!&|?{};+\-*%<>~^]|\b(?:return|typeof|case|in|of|await|yield))\s*$/;

/**
 * The same text with every comment, and the inside of every string, template and regular expression, replaced by spaces.
 * Offsets and line ends stay, so that what is found here can be read in the original.
 */
export function maskSource(text: string): string {
  const masked = [...text.split('')];
  const blank = (from: number, to: number) => {
    for (let at = from; at < to; at += 1) if (masked[at] !== '\n') masked[at] = ' ';
  };
  /** For each open `${`, how many braces are open inside it. */
  const openBraces: number[] = [];
  let at = 0;
  const skipTemplate = () => {
    const from = at;
    while (at < text.length && text[at] !== '`') {
      if (text[at] === '$' && text[at + 1] === '{') {
        blank(from, at);
        at += 2;
        openBraces.push(0);
        return;
      }
      at += text[at] === '\\' ? 2 : 1;
    }
    blank(from, at);
    at += 1;
  };
  while (at < text.length) {
    const char = text[at];
    const from = at;
    if (char === '/' && text[at + 1] === '/') {
      at = endOf(text, '\n', at);
      blank(from, at);
    } else if (char === '/' && text[at + 1] === '*') {
      at = endOf(text, '*/', at + 2) + 2;
      blank(from, Math.min(at, text.length));
    } else if (char === "'" || char === '"') {
      at = endOfQuoted(text, char, at + 1);
      blank(from + 1, at);
      at += 1;
    } else if (char === '`') {
      at += 1;
      skipTemplate();
    } else if (
      char === '/' &&
      BEFORE_PATTERN.test(masked.slice(Math.max(0, at - 40), at).join(''))
    ) {
      at = endOfPattern(text, at + 1);
      blank(from + 1, at);
      at += 1;
    } else {
      at += 1;
      const open = openBraces.length - 1;
      if (open < 0) continue;
      if (char === '{') openBraces[open] = (openBraces[open] ?? 0) + 1;
      else if (char === '}' && openBraces[open] === 0) {
        openBraces.pop();
        skipTemplate();
      } else if (char === '}') openBraces[open] = (openBraces[open] ?? 0) - 1;
    }
  }
  return masked.join('');
}

function endOf(text: string, mark: string, from: number): number {
  const found = text.indexOf(mark, from);
  return found < 0 ? text.length : found;
}

function endOfQuoted(text: string, quote: string, from: number): number {
  let at = from;
  while (at < text.length && text[at] !== quote && text[at] !== '\n') {
    at += text[at] === '\\' ? 2 : 1;
  }
  return at;
}

function endOfPattern(text: string, from: number): number {
  let at = from;
  let inClass = false;
  while (at < text.length && text[at] !== '\n' && (inClass || text[at] !== '/')) {
    if (text[at] === '[') inClass = true;
    else if (text[at] === ']') inClass = false;
    at += text[at] === '\\' ? 2 : 1;
  }
  return at;
}
