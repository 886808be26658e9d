import { readFileSync } from 'node:fs';
import { renderToStaticMarkup } from 'preact-render-to-string';
import { describe, expect, it } from 'vitest';
import { exampleBody, fillPath } from '../../src/docs/examples';
import { readSpec } from '../../src/docs/spec';
import { Text } from '../../src/docs/Text';

const spec = readSpec(
  JSON.parse(readFileSync(new URL('../../../src/routes/openapi.json', import.meta.url), 'utf8')),
);

describe('the OpenAPI document of the gateway', () => {
  it('gives every operation an id, a summary and responses', () => {
    expect(spec.operations.length).toBeGreaterThan(8);
    for (const operation of spec.operations) {
      expect(operation.summary, operation.path).not.toBe('');
      expect(operation.responses.length, operation.path).toBeGreaterThan(0);
    }
    expect(new Set(spec.operations.map((operation) => operation.id)).size).toBe(
      spec.operations.length,
    );
  });

  it('lists the fields of a chat completion', () => {
    const chat = spec.operations.find((operation) => operation.path === '/v1/chat/completions');
    expect(chat).toMatchObject({ method: 'POST', streams: true, open: false });
    const model = chat?.fields?.find((field) => field.name === 'model');
    expect(model).toMatchObject({ type: 'string', required: true });
    expect(model?.description).not.toBe('');
  });

  it('has an example body with a model for every POST', () => {
    for (const operation of spec.operations.filter((one) => one.method === 'POST')) {
      expect(Object.keys(exampleBody(operation, 'm') ?? {}).length, operation.path).toBeGreaterThan(
        1,
      );
    }
  });
});

describe('an OpenAPI document', () => {
  it('may be invalid', () => {
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

it('a slash in a path parameter is encoded', () => {
  expect(fillPath('/v1/models/{model}', { model: 'a/b' })).toBe('/v1/models/a%2Fb');
  expect(fillPath('/x/{y}', {})).toBe('/x/');
});

describe('a text of the document', () => {
  const html = (text: string) => renderToStaticMarkup(<Text text={text} />);

  it('shows code between backticks as code', () => {
    expect(html('Set `stream`, then `model`.')).toBe(
      'Set <code>stream</code>, then <code>model</code>.',
    );
    expect(html('`a``b`')).toBe('<code>a</code><code>b</code>');
  });

  it('keeps a single backtick and text without any', () => {
    expect(html('One ` only')).toBe('One ` only');
    expect(html('None')).toBe('None');
    expect(html('')).toBe('');
  });

  it('escapes markup in code', () => {
    expect(html('`<b>`')).toBe('<code>&lt;b></code>');
  });

  it('never shows an unpaired backtick of the gateway', () => {
    const texts = spec.operations.flatMap((operation) => [
      operation.summary,
      operation.description,
      ...[...operation.params, ...(operation.fields ?? []), ...operation.responses].map(
        (part) => part.description,
      ),
    ]);
    for (const text of [spec.description, ...texts]) expect(html(text)).not.toContain('`');
  });
});
