import {
  DATA_CENTER_CLASSES,
  DEFAULT_DATA_CENTER_CLASS,
  EMPTY_METADATA_CLASS,
  type EurekaInstance,
  type EurekaPort,
} from '../instance-info.ts';
import { toXmlName } from './xml-names.ts';

const DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>';
// What XML 1.0 cannot hold at all, escaped or not.
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is left out
const IMPOSSIBLE = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g;
const ESCAPES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&apos;',
};

/** `<instance>` as XStream writes it, without a declaration. */
export function instanceXml(instance: EurekaInstance): string {
  return element('instance', [
    ...identity(instance),
    element('overriddenstatus', instance.overriddenStatus),
    ...ports(instance),
    element('countryId', instance.countryId),
    dataCenterXml(instance),
    element(
      'leaseInfo',
      Object.entries(instance.leaseInfo).map(([name, value]) => element(name, value)),
    ),
    metadataXml(instance.metadata),
    ...optional(instance, [
      'homePageUrl',
      'statusPageUrl',
      'healthCheckUrl',
      'secureHealthCheckUrl',
      'appGroupName',
      'asgName',
    ]),
    ...vips(instance),
    element('isCoordinatingDiscoveryServer', 'false'),
    element('lastUpdatedTimestamp', instance.lastUpdatedTimestamp),
    element('lastDirtyTimestamp', instance.lastDirtyTimestamp),
    ...optional(instance, ['sid', 'actionType']),
  ]);
}

/** The same with what a compact reader asks for. */
export function compactInstanceXml(instance: EurekaInstance): string {
  return element('instance', [
    ...identity(instance),
    ...ports(instance),
    dataCenterXml(instance),
    ...vips(instance),
    element('lastUpdatedTimestamp', instance.lastUpdatedTimestamp),
    ...optional(instance, ['asgName', 'actionType']),
  ]);
}

export function applicationsHeadXml(head: { readonly version: string; readonly hash: string }) {
  const { version, hash } = head;
  return `${DECLARATION}<applications>${element('versions__delta', version)}${element('apps__hashcode', hash)}`;
}

export function applicationHeadXml(name: string): string {
  return `<application>${element('name', name)}`;
}

export function xmlDocument(content: string): string {
  return `${DECLARATION}${content}`;
}

function element(name: string, content: string | number | readonly string[]): string {
  const inner = typeof content === 'object' ? content.join('') : escapeText(String(content));
  return `<${name}>${inner}</${name}>`;
}

function identity(instance: EurekaInstance): string[] {
  const { instanceId, hostName, app, ipAddr, status } = instance;
  return Object.entries({ instanceId, hostName, app, ipAddr, status }).map(([name, value]) =>
    element(name, value),
  );
}

function ports({ port, securePort }: EurekaInstance): string[] {
  const write = (name: string, { number, enabled }: EurekaPort) =>
    `<${name} enabled="${enabled}">${number}</${name}>`;
  return [write('port', port), write('securePort', securePort)];
}

function vips({ vipAddress, secureVipAddress }: EurekaInstance): string[] {
  return [element('vipAddress', vipAddress), element('secureVipAddress', secureVipAddress)];
}

function optional(instance: EurekaInstance, names: readonly (keyof EurekaInstance)[]): string[] {
  return names.flatMap((name) => {
    const value = instance[name];
    return typeof value === 'string' ? [element(name, value)] : [];
  });
}

function dataCenterXml({ dataCenterInfo: { name, metadata } }: EurekaInstance): string {
  const kind = DATA_CENTER_CLASSES[name] ?? DEFAULT_DATA_CENTER_CLASS;
  const inner = metadata === undefined ? '' : metadataXml(metadata);
  return `<dataCenterInfo class="${kind}">${element('name', name)}${inner}</dataCenterInfo>`;
}

function metadataXml(metadata: Readonly<Record<string, string>>): string {
  const entries = Object.entries(metadata);
  if (entries.length === 0) return `<metadata class="${EMPTY_METADATA_CLASS}"/>`;
  return element(
    'metadata',
    entries.map(([key, value]) => element(toXmlName(key), value)),
  );
}

function escapeText(text: string): string {
  return text.replace(IMPOSSIBLE, '').replace(/[&<>"']/g, (char) => ESCAPES[char] ?? '');
}
