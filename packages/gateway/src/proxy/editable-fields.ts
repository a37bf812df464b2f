import { fieldLine } from '@portolan/http';

/** Fields that the engine writes, or that rule the connection or the routing: no edit touches them. */
const PROTECTED = new Set([
  'connection',
  'content-length',
  'expect',
  'host',
  'http2-settings',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

/** Whether edits leave a field of that name as it is. */
export function isProtectedField(lowerName: string): boolean {
  return PROTECTED.has(lowerName);
}

/** Header lines that can be changed by name. Protected fields stay as they are. */
export class EditableFields {
  readonly #names: string[] = [];
  readonly #lines: string[] = [];

  /** `lines` are whole lines, each with its CRLF. */
  constructor(lines: string) {
    for (let at = 0; at < lines.length; ) {
      const end = lines.indexOf('\r\n', at) + 2;
      this.#names.push(lines.slice(at, lines.indexOf(':', at)).toLowerCase());
      this.#lines.push(lines.slice(at, end));
      at = end;
    }
  }

  /** The first value of that name. */
  get(lowerName: string): string | undefined {
    const at = this.#names.indexOf(lowerName);
    const line = this.#lines[at];
    return line?.slice(lowerName.length + 1, -2).trim();
  }

  set(name: string, value: string): void {
    this.remove(name);
    this.add(name, value);
  }

  /** Throws a TypeError for a name or value that could break the head apart. */
  add(name: string, value: string): void {
    const lowerName = name.toLowerCase();
    if (isProtectedField(lowerName)) return;
    this.#lines.push(fieldLine(name, value));
    this.#names.push(lowerName);
  }

  remove(name: string): void {
    const lowerName = name.toLowerCase();
    if (isProtectedField(lowerName)) return;
    for (let at = this.#names.indexOf(lowerName); at >= 0; at = this.#names.indexOf(lowerName)) {
      this.#names.splice(at, 1);
      this.#lines.splice(at, 1);
    }
  }

  /** All lines, each with its CRLF. */
  get lines(): string {
    return this.#lines.join('');
  }
}
