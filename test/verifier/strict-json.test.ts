// J8: one text, one meaning. Two parsers that read it differently are an attack.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseStrictObject } from '../../src/verifier/strict-json.js';

/** An object as it is written: members in order, names as often as they like. */
type Written = { readonly text: string; readonly saysTwice: boolean };

const space = fc.constantFrom('', '', '', ' ', '\n ');
const name = fc.constantFrom('a', 'b', 'sub', '__proto__', 'é', 'x:y', 'q"', 'toString');
/** The same name, with or without an escape. */
const spelled = fc.tuple(name, fc.boolean()).map(([one, isEscaped]) => {
  const plain = JSON.stringify(one);
  if (!isEscaped) return plain;
  const code = one.charCodeAt(0).toString(16).padStart(4, '0');
  return `"\\u${code}${plain.slice(one.startsWith('"') ? 3 : 2)}`;
});
const scalar: fc.Arbitrary<Written> = fc
  .oneof(fc.constantFrom('"x"', '"a\\":"', '""', '":{"', '1', 'null', 'true'), spelled)
  .map((text) => ({ text, saysTwice: false }));

const { object } = fc.letrec<{ value: Written; object: Written; list: Written }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    scalar,
    tie('object'),
    tie('list'),
  ),
  list: fc.array(tie('value'), { maxLength: 3 }).map((items) => ({
    text: `[${items.map(({ text }) => text).join(',')}]`,
    saysTwice: items.some(({ saysTwice }) => saysTwice),
  })),
  object: fc
    .array(fc.tuple(spelled, space, space, tie('value')), { maxLength: 4 })
    .map((members) => {
      const names = members.map(([one]) => JSON.parse(one) as string);
      const written = members.map(([one, s, t, { text }]) => `${s}${one}${t}:${s}${text}${t}`);
      return {
        text: `{${written.join(',')}}`,
        saysTwice:
          new Set(names).size < names.length || members.some(([, , , { saysTwice }]) => saysTwice),
      };
    }),
}));

const read = (text: string) => parseStrictObject(new TextEncoder().encode(text));

describe('J8: the JSON of a signed object', () => {
  it('is taken if and only if no object in it names a member twice, however it is spelled', () => {
    const seen = { taken: 0, refused: 0 };
    fc.assert(
      fc.property(object, ({ text, saysTwice }) => {
        seen[saysTwice ? 'refused' : 'taken'] += 1;
        expect(read(text)).toEqual(saysTwice ? undefined : JSON.parse(text));
      }),
      { numRuns: 3_000 },
    );
    expect(Math.min(seen.taken, seen.refused)).toBeGreaterThan(300);
  });

  it.each([
    ['two of a name, one with an escape', '{"a":1,"\\u0061":2}'],
    ['two of a name, and a string less elsewhere', '{"a":"x","a":1}'],
    ['two of a name, deep inside', '{"a":[{"b":{"c":1,"c":1}}]}'],
    ['a list', '[]'],
    ['a string', '"{}"'],
    ['nothing', ''],
    ['a byte order mark', '\ufeff{}'],
  ])('is not taken with %s', (_what, text) => {
    expect(read(text)).toBeUndefined();
  });

  it('is not taken when it is not UTF-8', () => {
    expect(
      parseStrictObject(Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d])),
    ).toBeUndefined();
  });
});
