// Responses of the fake upstream: from the table, else derived from the path.

import { readFileSync } from 'node:fs';

import { events } from './fake.js';

export const BYTES = Buffer.from(Array.from({ length: 10_240 }, (_, at) => at % 256));
const table = (sdk) => JSON.parse(readFileSync(new URL(`../../calls/${sdk}/responses.json`, import.meta.url)));
const STREAM = /"stream": ?true|name="stream"\r\n\r\ntrue|"stream_format": ?"sse"/;
const BINARY = /application\/(binary|octet-stream|sdp)|audio\/|video\//;
const PREFIX = /^\/(v1|openai(\/deployments\/[^/]+)?)\//;
const LAST = 'obj_2';
// Last segments that are actions on an object rather than collections.
const ACTION = new RegExp('^(cancel|pause|resume|complete|search|archive|activate|deactivate|remix|accept|hangup|refer|reject)$');

function respond(rows, name, request) {
  const [path, query = ''] = request.target.split('?');
  const segments = path.replace(PREFIX, '').split('/');
  const accept = request.headers.accept ?? '';
  const stream = STREAM.test(request.body.toString('latin1')) || query.includes('stream=true') || accept.includes('event-stream');
  const row = find(rows, request.method, segments, stream);
  if (row?.events) return [200, 'text/event-stream', events(row.events)];
  if (stream) return [200, 'text/event-stream', ['data: {"type": "some.event"}\n\n', 'data: [DONE]\n\n']];
  if (BINARY.test(accept)) return [200, 'application/octet-stream', [BYTES.subarray(0, 9000), BYTES.subarray(9000)]];
  return [200, 'application/json', [JSON.stringify(row?.json ?? byShape(name, request.method, segments, query))]];
}

/** The row of the table with these segments; `{}` matches any. */
function find(rows, method, segments, stream) {
  const matches = (key) => {
    const [verb, pattern, kind] = key.split(' ');
    const parts = pattern.slice(1).split('/');
    return verb === method && (kind === 'stream') === stream && parts.length === segments.length
      && parts.every((part, at) => part === '{}' || part === segments[at]);
  };
  return rows[Object.keys(rows).find(matches)];
}

/**
 * A REST response: a page of a collection, an object by its id, a new or a deleted
 * object. Ids contain a digit, names of collections do not.
 */
function byShape(name, method, segments, query) {
  const last = segments.at(-1);
  const thing = { object: 'thing', created_at: 1, status: 'completed', metadata: { from: name }, data: [] };
  const isId = /\d/.test(last);
  if (method === 'DELETE') return { id: last, object: 'thing.deleted', deleted: true };
  if (method === 'GET' && !isId) {
    const more = !query.includes(LAST);
    const data = more ? ['obj_1', LAST].map((id) => ({ ...thing, id })) : [];
    const next = more ? LAST : null;
    return { object: 'list', data, has_more: more, last_id: next, next, next_page: next };
  }
  if (isId) return { ...thing, id: last };
  return { ...thing, id: ACTION.test(last) ? segments.at(-2) : `${last}_${name}` };
}

export const openai = respond.bind(undefined, table('openai'));
export const anthropic = respond.bind(undefined, table('anthropic'));
