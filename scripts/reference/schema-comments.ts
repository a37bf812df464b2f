/** What the comments of `schema.ts` say of each setting, by dotted path. Zod does not carry comments, so they are read as text. */
export function schemaComments(source: string): ReadonlyMap<string, string> {
  const sections = new Map<string, string[]>();
  for (const [, name = '', body = ''] of source.matchAll(
    /^(?:export )?const (\w+) = z\.strictObject\(\{\n([\s\S]*?)^\}\);/gm,
  )) {
    sections.set(name, body.split('\n'));
  }
  const found = new Map<string, string>();
  const walk = (name: string, base: readonly string[]): void => {
    const path = [...base];
    let comment = '';
    /** Inside the options of a value, which hold no settings. */
    let inOptions = false;
    for (const raw of sections.get(name) ?? []) {
      const line = raw.trim();
      const said = /^\/\*\* (.*) \*\/$/.exec(line);
      const [, key, value = ''] = /^(\w+)(?::\s*(.*))?,?$/.exec(line.replace(/,$/, '')) ?? [];
      if (said) comment = said[1] ?? '';
      else if (/^\}\)/.test(line)) {
        if (inOptions) inOptions = false;
        else path.pop();
      } else if (inOptions) continue;
      else if (key !== undefined) {
        if (comment !== '') found.set([...path, key].join('.'), comment);
        comment = '';
        const section = value === '' ? key : value;
        if (value === 'z.strictObject({') path.push(key);
        else if (value.endsWith('{')) inOptions = true;
        else if (sections.has(section)) walk(section, [...path, key]);
      }
    }
  };
  walk('configSchema', []);
  return found;
}
