/**
 * XStream's way to make an element name of any text: `_` is `__`, `$` is `_-`, and what a name may not hold is `_.` and
 * four hexadecimal digits.
 */
export function toXmlName(text: string): string {
  let name = '';
  for (let at = 0; at < text.length; at++) {
    const char = text.charAt(at);
    if (char === '_') name += '__';
    else if (char === '$') name += '_-';
    else if (/[A-Za-z]/.test(char) || (at > 0 && /[0-9.-]/.test(char))) name += char;
    else name += `_.${char.charCodeAt(0).toString(16).padStart(4, '0')}`;
  }
  return name;
}

/** The reverse; an underscore that begins nothing stays one. */
export function fromXmlName(name: string): string {
  return name.replace(/__|_-|_\.([0-9a-fA-F]{4})/g, (mark, code: string | undefined) =>
    mark === '__'
      ? '_'
      : mark === '_-'
        ? '$'
        : String.fromCharCode(Number.parseInt(code ?? '', 16)),
  );
}
