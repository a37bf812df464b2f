import { describe, expect, it } from 'vitest';
import { readRecorded } from '../test-engine/recorded-engine.ts';
import { createApiSource } from './api-source.ts';
import { negotiateApiVersion } from './api-version.ts';
import type { EngineClient } from './engine-client.ts';
import { parseContainer, parseEvent, parseSummaries } from './engine-json.ts';

function clientOf(chunks: readonly string[]): EngineClient {
  return {
    get: async () => ({}),
    async stream() {
      return (async function* () {
        for (const chunk of chunks) yield Buffer.from(chunk);
      })();
    },
    close: async () => undefined,
  };
}

async function eventsOf(chunks: readonly string[]) {
  const source = createApiSource(clientOf(chunks));
  const events = [];
  for await (const event of source.events(undefined, AbortSignal.timeout(1_000)).events) {
    events.push(event);
  }
  return events;
}

describe('what an engine tells', () => {
  it('is read as events were recorded, however they are cut, without those of HEALTHCHECKs', async () => {
    const text = readRecorded('events.ndjson');
    const whole = await eventsOf([text]);
    const cut = await eventsOf(text.match(/[\s\S]{1,7}/g) ?? []);
    expect(cut).toEqual(whole);
    const told = whole.map(({ type, action }) => `${type} ${action}`);
    expect(told.slice(0, 8)).toEqual([
      'container kill',
      'container kill',
      'container die',
      'network disconnect',
      'container stop',
      'network connect',
      'container start',
      'container kill',
    ]);
    expect(told).toContain('service update');
    expect(told.some((one) => one.includes('exec'))).toBe(false);
    expect(whole[0]?.attributes.signal).toBe('15');
    expect(whole[0]?.timeNano).toMatch(/^\d{19}$/);
  });

  it('is understood without the members that API 1.52 gave up, and as a sequence of RFC 7464', async () => {
    const event = {
      Type: 'container',
      Action: 'die',
      Actor: { ID: 'abc', Attributes: { name: 'web' } },
      scope: 'local',
      time: 1_795_675_797,
      timeNano: 0,
    };
    const json = JSON.stringify(event).replace('"timeNano":0', '"timeNano":1795675797887340027');
    expect(parseEvent(json)).toEqual({
      type: 'container',
      action: 'die',
      actorId: 'abc',
      attributes: { name: 'web' },
      timeNano: '1795675797887340027',
      atMs: 1_795_675_797_887,
    });
    expect(await eventsOf([`\u001e${json}\n\u001e`, `${json}\n`])).toHaveLength(2);
  });

  it('is left out where it is no event', () => {
    expect(parseEvent('{"Type":')).toBeUndefined();
    expect(parseEvent('{"Type":7}')).toBeUndefined();
  });

  it('has the same fingerprint as long as only time passes', () => {
    const listed = JSON.parse(readRecorded('containers.json')) as { Status: string }[];
    const later = listed.map((one) => ({
      ...one,
      Status: one.Status.replace(/\d+ \w+/, '9 days'),
    }));
    expect(parseSummaries(later)).toEqual(parseSummaries(listed));
    const sick = listed.map((one) => ({ ...one, Status: 'Up 3 seconds (unhealthy)' }));
    expect(parseSummaries(sick)).not.toEqual(parseSummaries(listed));
  });

  it('is refused where it is no container', () => {
    expect(() => parseContainer({ Id: 'x' })).toThrow(/Name/);
  });
});

describe('the version of the API', () => {
  it.each([
    [{ lowest: '1.12', highest: '1.41' }, '1.41'],
    [{ lowest: '1.44', highest: '1.52' }, '1.52'],
    [{ lowest: '1.44', highest: '1.60' }, '1.52'],
    [{ lowest: '1.24', highest: '1.40' }, '1.40'],
  ])('for an engine of %o is %s', (engine, expected) => {
    expect(negotiateApiVersion(engine)).toBe(expected);
  });

  it.each([[{ lowest: '1.12', highest: '1.39' }], [{ lowest: '1.53', highest: '1.60' }]])(
    'is refused where there is none in common: %o',
    (engine) => {
      expect(() => negotiateApiVersion(engine)).toThrow(/1\.40 to 1\.52 are known/);
    },
  );
});
