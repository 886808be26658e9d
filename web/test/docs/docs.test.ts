import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { exampleBody, fillPath } from '../../src/docs/examples';
import { readSpec } from '../../src/docs/spec';

const spec = readSpec(
  JSON.parse(readFileSync(new URL('../../../src/server/openapi.json', import.meta.url), 'utf8')),
);

describe("the gateway's own description", () => {
  it('gives every call a name, a summary and answers', () => {
    expect(spec.operations.length).toBeGreaterThan(8);
    for (const each of spec.operations) {
      expect(each.summary, each.path).not.toBe('');
      expect(each.answers.length, each.path).toBeGreaterThan(0);
    }
    expect(new Set(spec.operations.map((each) => each.id)).size).toBe(spec.operations.length);
  });

  it('tells what a chat takes', () => {
    const chat = spec.operations.find((each) => each.path === '/v1/chat/completions');
    expect(chat).toMatchObject({ method: 'POST', streams: true, open: false });
    const model = chat?.fields?.find((each) => each.name === 'model');
    expect(model).toMatchObject({ type: 'string', required: true });
    expect(model?.description).not.toBe('');
  });

  it('has an example with a model for every body', () => {
    for (const each of spec.operations.filter((one) => one.method === 'POST')) {
      expect(Object.keys(exampleBody(each, 'm') ?? {}).length, each.path).toBeGreaterThan(1);
    }
  });
});

describe('any description', () => {
  it('may be broken', () => {
    expect(readSpec(null).operations).toEqual([]);
    expect(
      readSpec({ paths: { '/x': { get: {}, delete: {}, post: { requestBody: {} } } } }).operations,
    ).toHaveLength(2);
    const loop = { components: { a: { $ref: '#/components/a' } } };
    const path = {
      post: {
        requestBody: { content: { 'application/json': { schema: { $ref: '#/components/a' } } } },
      },
    };
    expect(readSpec({ ...loop, paths: { '/x': path } }).operations[0]?.fields).toEqual([]);
  });
});

it('a slash in a name stays one name', () => {
  expect(fillPath('/v1/models/{model}', { model: 'a/b' })).toBe('/v1/models/a%2Fb');
  expect(fillPath('/x/{y}', {})).toBe('/x/');
});
