// Every method of the SDK reaches the upstream as a direct call does.

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

const doors = {
  'by default': () => [suite.home1, through()],
  'by header': () => [suite.home2, through('/v1', 'elsewhere', { 'x-trunkline-provider': 'home2' })],
  'by path': () => [suite.home2, through('/providers/home2/v1', 'elsewhere')],
};

for (const [door, sides] of Object.entries(doors)) {
  test(`provider ${door}`, async (t) => {
    const [fake, through] = sides();
    const both = [direct(fake), through];
    for (const [name, path] of METHODS) {
      if (calls(TABLE[name]).length) await t.test(name, () => compare(both, fake, TABLE[name], path));
    }
  });
}
