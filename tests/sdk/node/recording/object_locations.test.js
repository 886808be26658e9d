// Requests without a model: sent to the provider they name, else to the one that
// has their object.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { prepare, suite, through } from './setup.js';

prepare();

const file = () => new File(['{}'], 'a.jsonl');
const objects = {
  file: [(c, o) => c.files.create({ file: file(), purpose: 'batch' }, o), (c, id) => c.files.content(id)],
  upload: [
    (c, o) => c.uploads.create({ bytes: 2, filename: 'a', mime_type: 'text/plain', purpose: 'batch' }, o),
    (c, id) => c.uploads.parts.create(id, { data: file() }),
  ],
  container: [(c, o) => c.containers.create({ name: 'a' }, o), (c, id) => c.containers.delete(id)],
  eval: [
    (c, o) => c.evals.create({ data_source_config: { type: 'custom', item_schema: {} }, testing_criteria: [] }, o),
    (c, id) => c.evals.runs.list(id),
  ],
};

for (const [kind, [make, use]] of Object.entries(objects)) {
  test(`${kind}: requests follow it to its provider`, async () => {
    const { client } = through();
    suite.provider1.take();
    const { id } = await make(client, { headers: { 'x-trunkline-provider': 'provider2' } });
    assert.equal(suite.provider2.take().length, 1);
    await use(client, id);
    assert.equal(suite.provider2.take().length, 1);
    assert.deepEqual(suite.provider1.take(), []);
  });
}
