import type { Operation } from './spec';

/** An example body that a model can respond to. */
export function exampleBody(
  operation: Operation,
  model: string,
): Record<string, unknown> | undefined {
  if (operation.fields === null) return undefined;
  const example = EXAMPLES[operation.path];
  return { model, ...(example ?? required(operation)) };
}

const EXAMPLES: Record<string, Record<string, unknown>> = {
  '/v1/chat/completions': {
    messages: [{ role: 'user', content: 'Say hello in three languages.' }],
    stream: true,
  },
  '/v1/messages': {
    max_tokens: 1024,
    messages: [{ role: 'user', content: 'Say hello in three languages.' }],
    stream: true,
  },
  '/v1/messages/count_tokens': {
    messages: [{ role: 'user', content: 'Say hello in three languages.' }],
  },
  '/v1/completions': { prompt: 'Once upon a time', max_tokens: 64 },
  '/v1/embeddings': { input: ['The quick brown fox', 'Der schnelle braune Fuchs'] },
  '/v1/responses': { input: 'Say hello in three languages.' },
  '/v1/moderations': { input: 'I like trains.' },
  '/v1/images/generations': { prompt: 'A red lighthouse in fog' },
  '/v1/audio/speech': { input: 'Hello from the gateway.', voice: 'alloy' },
};

function required(operation: Operation): Record<string, unknown> {
  const fields =
    operation.fields?.filter((field) => field.required && field.name !== 'model') ?? [];
  return Object.fromEntries(fields.map((field) => [field.name, '']));
}

/** Fills in the path parameters; a slash in a value is encoded. */
export function fillPath(path: string, values: Record<string, string>): string {
  return path.replace(/\{(\w+)\}/g, (_, name) => encodeURIComponent(values[name] ?? ''));
}
