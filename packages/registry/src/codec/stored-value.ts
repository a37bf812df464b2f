/** Version of every value this release writes. */
export const VALUE_VERSION = 1;

/** A stored value that cannot be what this release wrote. */
export class DamagedValue extends Error {
  override readonly name = 'DamagedValue';
}

/** A stored object, after its version was checked. */
export type StoredObject = Readonly<Record<string, unknown>>;

export function encodeValue(fields: object): string {
  return JSON.stringify({ v: VALUE_VERSION, ...fields });
}

/** Throws `DamagedValue` for anything that is not a JSON object of a version known here. */
export function decodeValue(value: string): StoredObject {
  let parsed: unknown;
  try {
    parsed = JSON.parse(value);
  } catch {
    throw new DamagedValue('not JSON');
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) {
    throw new DamagedValue('not a JSON object');
  }
  const fields = parsed as StoredObject;
  if (fields.v !== VALUE_VERSION) {
    throw new DamagedValue(`version ${String(fields.v)} instead of ${VALUE_VERSION}`);
  }
  return fields;
}

export function stringField(fields: StoredObject, name: string): string {
  const value = fields[name];
  if (typeof value !== 'string') throw new DamagedValue(`${name} is not a string`);
  return value;
}

export function numberField(fields: StoredObject, name: string): number {
  const value = fields[name];
  if (typeof value !== 'number' || !Number.isFinite(value)) {
    throw new DamagedValue(`${name} is not a number`);
  }
  return value;
}

export function booleanField(fields: StoredObject, name: string): boolean {
  const value = fields[name];
  if (typeof value !== 'boolean') throw new DamagedValue(`${name} is not true or false`);
  return value;
}

export function objectField(fields: StoredObject, name: string): StoredObject {
  return asObject(fields[name], name);
}

export function asObject(value: unknown, name: string): StoredObject {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new DamagedValue(`${name} is not an object`);
  }
  return value as StoredObject;
}

export function listField(fields: StoredObject, name: string): readonly unknown[] {
  const value = fields[name];
  if (!Array.isArray(value)) throw new DamagedValue(`${name} is not a list`);
  return value;
}

export function stringListField(fields: StoredObject, name: string): readonly string[] {
  const list = listField(fields, name);
  if (!list.every((item) => typeof item === 'string')) {
    throw new DamagedValue(`${name} holds something else than strings`);
  }
  return list as readonly string[];
}

export function stringMapField(
  fields: StoredObject,
  name: string,
): Readonly<Record<string, string>> {
  const map = objectField(fields, name);
  for (const key of Object.keys(map)) {
    if (typeof map[key] !== 'string') throw new DamagedValue(`${name}.${key} is not a string`);
  }
  return map as Readonly<Record<string, string>>;
}

export function optionalNumberField(fields: StoredObject, name: string): number | undefined {
  return fields[name] === undefined ? undefined : numberField(fields, name);
}

export function oneOfField<const T extends string>(
  fields: StoredObject,
  name: string,
  allowed: readonly T[],
): T {
  const value = fields[name];
  const found = allowed.find((word) => word === value);
  if (found === undefined) throw new DamagedValue(`${name} is none of ${allowed.join(', ')}`);
  return found;
}
