import { RegistryError } from '@portolan/core';
import { XMLParser, XMLValidator } from 'fast-xml-parser';
import { fromXmlName } from './xml-names.ts';

const MAX_DEPTH = 16;
const ENTITIES: Readonly<Record<string, string>> = {
  lt: '<',
  gt: '>',
  amp: '&',
  quot: '"',
  apos: "'",
};
const utf8 = new TextDecoder('utf-8', { fatal: true });
const parser = new XMLParser({
  ignoreAttributes: false,
  attributeNamePrefix: '@',
  textNodeName: '$',
  parseTagValue: false,
  parseAttributeValue: false,
  processEntities: false,
  ignoreDeclaration: true,
  maxNestedTags: MAX_DEPTH,
});

type Tree = { [name: string]: unknown };

/**
 * Reads one element named `root` into the tree that Eureka's JSON has too. No document type, no entity but XML's own five,
 * no CDATA, no processing instruction: none of Eureka's clients sends any.
 */
export function readXml(bytes: Uint8Array, root: string): unknown {
  let text: string;
  try {
    text = utf8.decode(bytes);
  } catch {
    throw new RegistryError('BODY_NOT_UTF8', {
      detail: 'The body holds a byte sequence that is not UTF-8.',
    });
  }
  const body = text.replace(/^\s*<\?xml\s[^?<>]*\?>/, '');
  if (/<!(?!--)|<\?/.test(body)) {
    throw malformed('a document type, CDATA or a processing instruction is not taken');
  }
  const valid = XMLValidator.validate(body);
  if (valid !== true) throw malformed(`${valid.err.msg} (line ${valid.err.line})`);
  let tree: Tree;
  try {
    tree = parser.parse(body) as Tree;
  } catch (error) {
    throw malformed(error instanceof Error ? error.message : 'it cannot be read');
  }
  const names = Object.keys(tree);
  if (names.length !== 1 || names[0] !== root) throw malformed(`expected one element <${root}>`);
  return toTree(tree[root], false);
}

/** Entities replaced, and the names of metadata entries as they were meant. */
function toTree(value: unknown, isMetadata: boolean): unknown {
  if (typeof value === 'string') return withoutEntities(value);
  if (Array.isArray(value)) return value.map((each) => toTree(each, isMetadata));
  if (typeof value !== 'object' || value === null) return value;
  const tree: Tree = Object.create(null);
  for (const [key, member] of Object.entries(value)) {
    const name = isMetadata && !key.startsWith('@') ? fromXmlName(key) : key;
    tree[name] = toTree(member, key === 'metadata');
  }
  if (tree.overriddenstatus !== undefined) tree.overriddenStatus = tree.overriddenstatus;
  return tree;
}

function withoutEntities(text: string): string {
  if (!text.includes('&')) return text;
  return text.replace(/&([^;&]{0,12});?/g, (whole, name: string) => {
    const code = /^#(?:(\d{1,7})|x([0-9a-fA-F]{1,6}))$/.exec(name);
    const point = code ? Number.parseInt(code[1] ?? code[2] ?? '', code[1] ? 10 : 16) : 0;
    if (point > 0 && point <= 0x10ffff) return String.fromCodePoint(point);
    const entity = Object.hasOwn(ENTITIES, name) ? ENTITIES[name] : undefined;
    if (entity === undefined || !whole.endsWith(';')) {
      throw malformed('an entity is none of the five that XML has');
    }
    return entity;
  });
}

function malformed(why: string): RegistryError {
  return new RegistryError('BODY_MALFORMED', {
    detail: `The body is not the XML expected: ${why}.`,
  });
}
