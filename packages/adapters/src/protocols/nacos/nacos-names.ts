import { DEFAULT_GROUP, RegistryError, type ServiceKey } from '@portolan/core';

export const NACOS_DEFAULT_GROUP = 'DEFAULT_GROUP';
export const NACOS_DEFAULT_NAMESPACE = 'public';
export const NACOS_DEFAULT_CLUSTER = 'DEFAULT';
const GROUP_MARK = '@@';
const PLAIN_NAME = /^(?!.*@[0-9a-f]{2})[A-Za-z0-9](?:[A-Za-z0-9._:@-]{0,126}[A-Za-z0-9])?$/;
const ESCAPE = /@([0-9a-f]{2})/g;
const utf8 = new TextDecoder('utf-8', { fatal: true });

/** A service as Nacos names it, and where that is here. */
export interface NacosService {
  readonly namespaceId: string;
  readonly groupName: string;
  readonly serviceName: string;
  readonly key: ServiceKey;
}

/** What a client may say of a service; `serviceName` may have its group in front. */
export interface ServiceWords {
  readonly namespaceId?: string | undefined;
  readonly groupName?: string | undefined;
  readonly serviceName: string;
}

/** `namespace` is the one that Nacos' `public` stands for. */
export function toNacosService(words: ServiceWords, namespace: string): NacosService {
  const parts = words.serviceName.split(GROUP_MARK);
  const [first = '', second] = parts;
  if (parts.length > 2 || first === '' || second === '') {
    throw new RegistryError('VALIDATION_FAILED', {
      detail: "Param 'serviceName' is illegal, it should be format as 'groupName@@serviceName'",
      problems: [{ path: '$.service', expected: 'groupName@@serviceName' }],
    });
  }
  const serviceName = second ?? first;
  const groupName = second === undefined ? words.groupName || NACOS_DEFAULT_GROUP : first;
  const namespaceId = words.namespaceId || NACOS_DEFAULT_NAMESPACE;
  return {
    namespaceId,
    groupName,
    serviceName,
    key: {
      namespace: toNamespace(namespaceId, namespace),
      group: toGroup(groupName),
      name: encodeName(serviceName),
    },
  };
}

export function toNamespace(namespaceId: string | undefined, namespace: string): string {
  return !namespaceId || namespaceId === NACOS_DEFAULT_NAMESPACE
    ? namespace
    : encodeName(namespaceId);
}

export function fromNamespace(name: string, namespace: string): string {
  return name === namespace ? NACOS_DEFAULT_NAMESPACE : decodeName(name);
}

export function toGroup(groupName: string | undefined): string {
  return !groupName || groupName === NACOS_DEFAULT_GROUP ? DEFAULT_GROUP : encodeName(groupName);
}

export function fromGroup(group: string): string {
  return group === DEFAULT_GROUP ? NACOS_DEFAULT_GROUP : decodeName(group);
}

/** The service of a key, in Nacos' words. */
export function fromServiceKey(key: ServiceKey, namespace: string): NacosService {
  return {
    namespaceId: fromNamespace(key.namespace, namespace),
    groupName: fromGroup(key.group),
    serviceName: decodeName(key.name),
    key,
  };
}

export function groupedName({ groupName, serviceName }: NacosService): string {
  return `${groupName}${GROUP_MARK}${serviceName}`;
}

/**
 * Nacos takes names that the registry does not, Dubbo's `providers:com.example.Api::` among them. What does not fit is written as
 * `@` and two hexadecimal digits a byte; a name that fits is kept as it is.
 */
export function encodeName(text: string): string {
  if (PLAIN_NAME.test(text)) return text;
  let name = '';
  const bytes = new TextEncoder().encode(text);
  for (const [at, byte] of bytes.entries()) {
    const char = String.fromCharCode(byte);
    const inside = at > 0 && at < bytes.length - 1;
    if (/[A-Za-z0-9]/.test(char) || (inside && /[._:-]/.test(char))) name += char;
    else name += `@${byte.toString(16).padStart(2, '0')}`;
  }
  return name;
}

/** The reverse; a name that `encodeName` cannot have made is kept as it is. */
export function decodeName(name: string): string {
  if (!/@[0-9a-f]{2}/.test(name)) return name;
  const bytes: number[] = [];
  let from = 0;
  for (const match of name.matchAll(ESCAPE)) {
    for (const byte of new TextEncoder().encode(name.slice(from, match.index))) bytes.push(byte);
    bytes.push(Number.parseInt(match[1] ?? '', 16));
    from = match.index + match[0].length;
  }
  for (const byte of new TextEncoder().encode(name.slice(from))) bytes.push(byte);
  try {
    const text = utf8.decode(Uint8Array.from(bytes));
    return encodeName(text) === name ? text : name;
  } catch {
    return name;
  }
}
