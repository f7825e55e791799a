import { expect, it } from 'vitest';
import { newAgentSchema } from '../../src/broker/agents/schema.js';
import { problemsOf } from '../../src/broker/registry/refusal.js';
import { newResourceSchema } from '../../src/broker/resources/schema.js';
import { newUserSchema } from '../../src/broker/users/schema.js';

const told = (schema: typeof newAgentSchema | typeof newUserSchema, value: object) => {
  const { error } = schema.safeParse(value);
  return error === undefined
    ? []
    : problemsOf(error).map(({ path, message }) => `${path.join('.')} ${message}`);
};

it('RFC 9457 §3.1.4: a field that is wrong is told what it must be, in words', () => {
  expect(told(newAgentSchema, { id: 'agt_x', name: '', owner: 7, tags: 'x', nam: 'X' })).toEqual([
    'name must not be empty',
    'owner must be a string',
    'tags must be an array',
    'nam is not a known field',
  ]);
  expect(told(newUserSchema, { email: 'ana@example.com', password: 'short' })).toEqual([
    'name is required',
    'password must have at least 8 characters',
  ]);
  const resource = {
    identifier: 'https://r.example/',
    name: 'R',
    scopes: {},
    tokenTtlSeconds: 0.5,
  };
  const { error } = newResourceSchema.safeParse({ ...resource, downstream: [{ scopes: 1 }] });
  expect(problemsOf(error as NonNullable<typeof error>).map(({ message }) => message)).toEqual(
    expect.arrayContaining(['must be a whole number', 'must be an object']),
  );
});
