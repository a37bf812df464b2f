import { toAsciiTexts } from '@portolan/core';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { NO_SLOT } from './hash-chains.ts';
import { KeyMap } from './key-map.ts';
import { KeySlots } from './key-slots.ts';

const key = fc.oneof(
  fc.constantFrom('', 'a', 'b', 'instance/default/i-1', 'instance/default/i-2'),
  fc.string({ unit: 'grapheme', maxLength: 12 }),
);
const step = fc.record({ do: fc.constantFrom('add', 'bytes', 'remove', 'find'), key });

describe('slots of keys', () => {
  it('are one for each key that is there, whether it is given as text or as bytes', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const slots = new KeySlots();
        const model = new Map<string, number>();
        for (const { do: what, key: text } of steps) {
          const present = model.get(text);
          if (what === 'find') expect(slots.find(text)).toBe(present ?? NO_SLOT);
          else if (what === 'remove') {
            expect(slots.remove(text)).toBe(present ?? NO_SLOT);
            model.delete(text);
          } else {
            const bytes = Buffer.from(`<${text}>`);
            const slot =
              what === 'add' ? slots.add(text) : slots.addBytes(bytes, 1, bytes.length - 1);
            if (present !== undefined) expect(slot).toBe(present);
            model.set(text, slot);
          }
          expect(slots.size).toBe(model.size);
          const asked = ['a', 'nobody', text, 'instance/default/i-1', text];
          expect([...slots.findMany(asked)]).toEqual(asked.map((each) => slots.find(each)));
          for (const [each, slot] of model) expect(slots.keyAt(slot)).toBe(each);
          for (const slot of model.values()) expect(slot).toBeLessThan(slots.end);
        }
        expect(new Set(model.values()).size).toBe(model.size);
      }),
    );
  });

  it('are found by many texts at once, in whatever order they come and whoever came or went since', () => {
    const name = fc.constantFrom('', 'a', 'b', 'ab', 'ba', 'i-1', 'i-2', 'i-10', '~');
    const turn = fc.record({
      changes: fc.array(fc.record({ name, isThere: fc.boolean() }), { maxLength: 4 }),
      asked: fc.array(name, { maxLength: 12 }),
    });
    fc.assert(
      fc.property(fc.array(turn, { maxLength: 12 }), fc.constantFrom('', 'n/'), (turns, prefix) => {
        const slots = new KeySlots();
        // The prefix of one is the beginning of the other: neither may be taken for it.
        for (const other of ['n', 'n/x/', 'm/']) slots.add(`${other}a`);
        for (const { changes, asked } of turns) {
          for (const change of changes) {
            if (change.isThere) slots.add(prefix + change.name);
            else slots.remove(prefix + change.name);
          }
          const expected = asked.map((each) => slots.find(prefix + each));
          expect(slots.findAll(prefix, toAsciiTexts(asked))).toEqual(expected);
          expect(slots.findAll(prefix, toAsciiTexts(asked))).toEqual(expected);
        }
      }),
    );
  });

  it('are found again after it grew, and given anew when they are free', () => {
    const slots = new KeySlots();
    const name = (at: number): string => `instance/default/i-${at}`;
    for (let at = 0; at < 5_000; at++) expect(slots.add(name(at))).toBe(at);
    for (let at = 0; at < 5_000; at += 2) expect(slots.remove(name(at))).toBe(at);
    for (let at = 0; at < 5_000; at++) {
      expect(slots.find(name(at))).toBe(at % 2 === 0 ? NO_SLOT : at);
    }
    for (let at = 5_000; at < 7_500; at++) expect(slots.add(name(at))).toBeLessThan(5_000);
    expect(slots.size).toBe(5_000);
    expect(slots.end).toBe(5_000);
  });
});

describe('a map of many keys', () => {
  it('holds what a plain map holds', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 100 }), (steps) => {
        const map = new KeyMap<number>();
        const model = new Map<string, number>();
        for (const [at, { do: what, key: text }] of steps.entries()) {
          if (what === 'remove') expect(map.delete(text)).toBe(model.delete(text));
          else if (what === 'find') expect(map.get(text)).toBe(model.get(text));
          else {
            map.set(text, at);
            model.set(text, at);
          }
          expect(map.size).toBe(model.size);
          expect(map.getMany(['a', text, 'nobody'])).toEqual([
            model.get('a'),
            model.get(text),
            model.get('nobody'),
          ]);
        }
        const ascending = (a: number, b: number): number => a - b;
        expect([...map.values()].sort(ascending)).toEqual([...model.values()].sort(ascending));
      }),
    );
  });
});
