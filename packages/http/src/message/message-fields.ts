/** Numbers kept for each field: name start, name end, value start, value end, classes; offsets into `text`. */
export const MARK_STRIDE = 5;

/** The fields of one message: its head as received, and where in it each field lies. */
export class MessageFields {
  /** The whole head as latin1 text, start line and closing empty line included. */
  readonly text: string;
  readonly #marks: number[];

  constructor(text: string, marks: number[]) {
    this.text = text;
    this.#marks = marks;
  }

  get fieldCount(): number {
    return this.#marks.length / MARK_STRIDE;
  }

  /** Name as received. */
  fieldName(index: number): string {
    const at = index * MARK_STRIDE;
    return this.text.slice(this.#marks[at], this.#marks[at + 1]);
  }

  /** Value without surrounding white space; bytes above 0x7f are latin1. */
  fieldValue(index: number): string {
    const at = index * MARK_STRIDE;
    return this.text.slice(this.#marks[at + 2], this.#marks[at + 3]);
  }

  /** The bits of `FIELD` this field has. */
  fieldClass(index: number): number {
    return this.#marks[index * MARK_STRIDE + 4] ?? 0;
  }

  /** Index of the first field of that name at or after `from`, or -1. */
  indexOf(lowerName: string, from = 0): number {
    const marks = this.#marks;
    for (let at = from * MARK_STRIDE; at < marks.length; at += MARK_STRIDE) {
      const start = marks[at] as number;
      if ((marks[at + 1] as number) - start !== lowerName.length) continue;
      if (sameName(this.text, start, lowerName)) return at / MARK_STRIDE;
    }
    return -1;
  }

  /** The value of the only or first field of that name. */
  get(lowerName: string): string | undefined {
    const index = this.indexOf(lowerName);
    return index < 0 ? undefined : this.fieldValue(index);
  }

  /** All values of that name joined with ", " (RFC 9110 §5.3). */
  joined(lowerName: string): string | undefined {
    let index = this.indexOf(lowerName);
    if (index < 0) return undefined;
    let joined = this.fieldValue(index);
    for (index = this.indexOf(lowerName, index + 1); index >= 0; ) {
      joined += `, ${this.fieldValue(index)}`;
      index = this.indexOf(lowerName, index + 1);
    }
    return joined;
  }

  has(lowerName: string): boolean {
    return this.indexOf(lowerName) >= 0;
  }

  /** Flat list of names as received and values, in order. */
  get raw(): string[] {
    const raw: string[] = [];
    for (let index = 0; index < this.fieldCount; index++) {
      raw.push(this.fieldName(index), this.fieldValue(index));
    }
    return raw;
  }

  /**
   * The header lines as received, each with its CRLF, but those of a class in `dropMask` and those `drop` picks.
   * Neighbouring lines are cut out of the head in one piece.
   */
  linesWithout(dropMask: number, drop?: (fields: MessageFields, index: number) => boolean): string {
    const marks = this.#marks;
    let lines = '';
    let runStart = -1;
    for (let at = 0; at < marks.length; at += MARK_STRIDE) {
      const dropped =
        ((marks[at + 4] as number) & dropMask) !== 0 || drop?.(this, at / MARK_STRIDE) === true;
      if (dropped) {
        if (runStart >= 0) lines += this.text.slice(runStart, marks[at]);
        runStart = -1;
      } else if (runStart < 0) runStart = marks[at] as number;
    }
    // The head ends with the last line's CRLF and the empty line.
    return runStart < 0 ? lines : lines + this.text.slice(runStart, this.text.length - 2);
  }

  /** Adds bits to a field's classes. */
  protected mark(index: number, classes: number): void {
    const at = index * MARK_STRIDE + 4;
    this.#marks[at] = (this.#marks[at] ?? 0) | classes;
  }
}

function sameName(text: string, start: number, lowerName: string): boolean {
  for (let i = 0; i < lowerName.length; i++) {
    const code = text.charCodeAt(start + i);
    const folded = code >= 0x41 && code <= 0x5a ? code | 0x20 : code;
    if (folded !== lowerName.charCodeAt(i)) return false;
  }
  return true;
}
