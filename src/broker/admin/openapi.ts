/** The OpenAPI 3.1 document, made from the operations' own schemas: it cannot say anything else. */
import { z } from 'zod';
import { type Operation, toSnake } from './operation.js';

const PROBLEM = {
  type: 'object',
  description: 'RFC 9457',
  required: ['type', 'title', 'status'],
  properties: {
    type: { type: 'string' },
    title: { type: 'string' },
    status: { type: 'integer' },
    detail: { type: 'string' },
    errors: {
      type: 'array',
      items: {
        type: 'object',
        required: ['field', 'message'],
        properties: { field: { type: 'string' }, message: { type: 'string' } },
      },
    },
  },
};

type JsonSchema = Record<string, unknown>;

/** What the server says, word for word. */
const PROBLEM_EXAMPLES = {
  invalid: {
    summary: 'A field is wrong, or not known',
    value: {
      type: 'about:blank',
      status: 400,
      title: 'The request is not valid',
      errors: [{ field: 'nmae', message: 'is not a known field' }],
    },
  },
  unauthenticated: {
    summary: 'No bearer token, or none that is good',
    value: {
      type: 'about:blank',
      status: 401,
      title: 'Send an access token for the admin API as bearer token',
    },
  },
  unknown: {
    summary: 'Nothing has this id',
    value: {
      type: 'about:blank',
      status: 404,
      title: 'There is no such thing',
      detail: 'there is no agent "agt_nobody"',
    },
  },
  conflict: {
    summary: 'Something else is in the way',
    value: {
      type: 'about:blank',
      status: 409,
      title: 'The request conflicts with what there is',
      errors: [{ field: 'id', message: '"agt_helper" is taken; ids are never used again' }],
    },
  },
};

/** A zod schema as JSON Schema, its own fields in snake_case where the wire has them so. */
function jsonSchema(schema: z.ZodType, io: 'input' | 'output', onWire: boolean): JsonSchema {
  const made = z.toJSONSchema(schema, {
    io,
    unrepresentable: 'any',
    override: ({ jsonSchema: part }) => {
      if (onWire) Object.assign(part, renamed(part));
    },
  }) as JsonSchema;
  delete made.$schema;
  return made;
}

function renamed({ properties, required }: JsonSchema): JsonSchema {
  if (typeof properties !== 'object' || properties === null) return {};
  const own = Object.entries(properties).map(([name, value]) => [toSnake(name), value]);
  return {
    properties: Object.fromEntries(own),
    ...(Array.isArray(required) ? { required: required.map(toSnake) } : {}),
  };
}

const parametersIn = (path: string): string[] =>
  [...path.matchAll(/:(\w+)/g)].map(([, name]) => name as string);

/** No schema can say it: it depends on what is there. */
const ALSO_NEEDS =
  'For some of what it may say it needs admin:security besides; the answer is then 403, and its challenge names it.';

function describe(operation: Operation): JsonSchema {
  const query = operation.query === undefined ? {} : jsonSchema(operation.query, 'input', false);
  const { properties = {} } = query as { properties?: JsonSchema };
  const json = (schema: JsonSchema) => ({ content: { 'application/json': { schema } } });
  return {
    summary: operation.summary,
    ...(operation.alsoNeeds === undefined ? {} : { description: ALSO_NEEDS }),
    // OpenAPI 3.1: scopes of a bearer token are told as roles.
    security: [{ bearer: [operation.scope] }],
    parameters: [
      ...parametersIn(operation.path).map((name) => ({
        name,
        in: 'path',
        required: true,
        schema: { type: 'string' },
      })),
      ...Object.entries(properties).map(([name, schema]) => ({ name, in: 'query', schema })),
    ],
    ...(operation.body === undefined
      ? {}
      : { requestBody: { required: true, ...json(jsonSchema(operation.body, 'input', true)) } }),
    responses: {
      [operation.status]: {
        description: operation.summary,
        ...(operation.view === undefined ? {} : json(jsonSchema(operation.view, 'output', false))),
      },
      default: {
        description: 'A problem',
        content: {
          'application/problem+json': {
            schema: { $ref: '#/components/schemas/Problem' },
            examples: Object.fromEntries(
              Object.keys(PROBLEM_EXAMPLES).map((name) => [
                name,
                { $ref: `#/components/examples/${name}` },
              ]),
            ),
          },
        },
      },
    },
  };
}

export function createOpenApi(
  operations: readonly Operation[],
  at: { readonly prefix: string; readonly issuer: string },
): JsonSchema {
  const paths: Record<string, JsonSchema> = {};
  for (const operation of operations) {
    const path = operation.path.replace(/:(\w+)/g, '{$1}');
    paths[path] = { ...paths[path], [operation.method]: describe(operation) };
  }
  return {
    openapi: '3.1.0',
    info: { title: 'Behalf admin API', version: '1' },
    servers: [{ url: `${at.issuer}${at.prefix}` }],
    security: [{ bearer: [] }],
    components: {
      securitySchemes: { bearer: { type: 'http', scheme: 'bearer' } },
      schemas: { Problem: PROBLEM },
      examples: PROBLEM_EXAMPLES,
    },
    paths,
  };
}
