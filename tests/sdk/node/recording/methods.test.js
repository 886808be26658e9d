// Every method of the SDK reaches the upstream as a direct call does.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import OpenAI from 'openai';

import { comparables } from './compare.js';
import { harvest } from './harvest.js';
import { call, calls, methods, TABLE } from './methods.js';
import { direct, prepare, suite, through } from './setup.js';

prepare();

const METHODS = methods(new OpenAI({ apiKey: 'none' }));

test('the table names every method', () => {
  assert.deepEqual([...METHODS.keys()].filter((name) => !(name in TABLE)), []);
});

async function compare(sides, fake, name, path) {
  for (const given of calls(name)) {
    const seen = [];
    const gave = [];
    for (const { client, model } of sides) {
      fake.take();
      gave.push(await harvest(call(client, path, given, model)));
      seen.push(comparables(fake.take()));
    }
    assert.notDeepEqual(seen[0], [], 'the method sends nothing, or not to its base URL');
    assert.deepEqual(seen[1], seen[0]);
    assert.deepEqual(gave[1], gave[0]);
  }
}

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
      if (name in TABLE && calls(name).length) await t.test(name, () => compare(both, fake, name, path));
    }
  });
}
