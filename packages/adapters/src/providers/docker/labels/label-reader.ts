import { parseDuration } from '@portolan/core';

/** Reads values of labels; what is wrong is collected, each time with the label's name. */
export class LabelReader {
  readonly problems: string[] = [];
  readonly #labels: ReadonlyMap<string, string>;

  constructor(labels: ReadonlyMap<string, string>) {
    this.#labels = labels;
  }

  /** Trimmed; undefined when it is not there or empty. */
  text(name: string): string | undefined {
    const value = this.#labels.get(name)?.trim();
    return value === '' ? undefined : value;
  }

  list(name: string): readonly string[] | undefined {
    const value = this.text(name);
    if (value === undefined) return undefined;
    // A comma of its own is written `\,`.
    return value
      .split(/(?<!\\),/)
      .map((part) => part.trim().replaceAll('\\,', ','))
      .filter((part) => part !== '');
  }

  flag(name: string): boolean | undefined {
    const value = this.text(name)?.toLowerCase();
    if (value === undefined) return undefined;
    if (value === 'true' || value === '1' || value === 'yes' || value === 'on') return true;
    if (value === 'false' || value === '0' || value === 'no' || value === 'off') return false;
    return this.#refuse(name, 'true or false');
  }

  whole(name: string, from: number, to: number): number | undefined {
    const value = this.text(name);
    if (value === undefined) return undefined;
    const number = /^\d{1,9}$/.test(value) ? Number(value) : Number.NaN;
    if (number >= from && number <= to) return number;
    return this.#refuse(name, `a whole number from ${from} to ${to}`);
  }

  port(name: string): number | undefined {
    return this.whole(name, 1, 65_535);
  }

  /** `10%` or `10`. */
  percent(name: string): number | undefined {
    const value = this.text(name);
    if (value === undefined) return undefined;
    const number = /^\d{1,3}%?$/.test(value) ? Number(value.replace('%', '')) : Number.NaN;
    if (number <= 100) return number;
    return this.#refuse(name, 'a percentage from 0 to 100');
  }

  durationMs(name: string): number | undefined {
    const value = this.text(name);
    if (value === undefined) return undefined;
    return parseDuration(value) ?? this.#refuse(name, 'a duration such as 10s');
  }

  #refuse(name: string, expected: string): undefined {
    const found = JSON.stringify(this.text(name)?.slice(0, 60));
    this.problems.push(`label ${name} has to be ${expected}, found ${found}`);
    return undefined;
  }
}
