// Every method of the SDK sends the upstream the same request as a direct call.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import OpenAI from 'openai';

import { calls, methods, table } from './methods.js';
import { compare, direct, prepare, suite, through } from './setup.js';

prepare();

const TABLE = table('openai');
const METHODS = methods(new OpenAI({ apiKey: 'none' }));

test('the table names every method', () => {
  assert.deepEqual([...METHODS.keys()].filter((name) => !(name in TABLE)), []);
});

const selections = {
  'by default': () => [suite.provider1, through()],
  'by header': () => [suite.provider2, through('/v1', 'elsewhere', { 'x-trunkline-provider': 'provider2' })],
  'by path': () => [suite.provider2, through('/providers/provider2/v1', 'elsewhere')],
};

for (const [selection, sides] of Object.entries(selections)) {
  test(`provider ${selection}`, async (t) => {
    const [fake, through] = sides();
    const both = [direct(fake), through];
    for (const [name, path] of METHODS) {
      if (calls(TABLE[name]).length) await t.test(name, () => compare(both, fake, TABLE[name], path));
    }
  });
}
