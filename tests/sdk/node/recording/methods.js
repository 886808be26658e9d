// The methods of the SDK, found by reflection, and their arguments from the tables.

import { readdirSync, readFileSync } from 'node:fs';

const CALLS = new URL('../../calls/', import.meta.url);
const FILE = Buffer.concat([Buffer.from('--not-a-boundary\r\n\r\n'), Buffer.from(Array.from({ length: 2048 }, (_, at) => at % 256))]);

/** The rows of one SDK by the names of its methods. */
export const table = (sdk) => Object.assign({}, ...readdirSync(new URL(`${sdk}/`, CALLS))
  .filter((file) => file !== 'responses.json')
  .map((file) => JSON.parse(readFileSync(new URL(`${sdk}/${file}`, CALLS)))));

/** The calls of a method in a row; empty if it has a reason instead. */
export const calls = (row) => (typeof row === 'object' ? [row].flat() : []);

const snake = (name) => name.replace(/([a-z0-9])([A-Z])/g, '$1_$2').replace(/([A-Z]+)([A-Z][a-z])/g, '$1_$2').toLowerCase();

/** All public methods of all resources below a client: the name in the table, and its path. */
export function methods(client) {
  const found = new Map();
  const walk = (node, path) => {
    const prototypes = [];
    for (let at = Object.getPrototypeOf(node); at !== Object.prototype; at = Object.getPrototypeOf(at)) prototypes.push(at);
    for (const name of path.length ? prototypes.flatMap(Object.getOwnPropertyNames) : []) {
      if (name !== 'constructor' && !name.startsWith('_') && typeof node[name] === 'function') {
        found.set([...path, name].map(snake).join('.'), [...path, name]);
      }
    }
    for (const [name, child] of Object.entries(node)) {
      if (!name.startsWith('_') && child?._client === client) walk(child, [...path, name]);
    }
  };
  walk(client, []);
  return found;
}

/** Calls a method with arguments by name: the leading ones by their names in its source, the rest as body or query. */
export function call(client, path, given, model) {
  const last = path.at(-1);
  const resource = path.slice(0, -1).reduce((node, part) => node[part], client);
  const rest = filled(given, model);
  const ordered = parameters(resource[last]).map((name) => {
    if (['body', 'query', 'params'].includes(name)) return rest;
    if (name === 'files') return { files: rest.files };
    const value = rest[snake(name)];
    delete rest[snake(name)];
    return value;
  });
  return resource[last](...ordered);
}

/** The names of the parameters before `options`; of a destructured one, its first. */
function parameters(method) {
  const source = method.toString();
  const list = source.slice(source.indexOf('(') + 1);
  const names = [...list.slice(0, list.indexOf(') {\n')).matchAll(/(?:^|, )(?:\{ )?(\w+)(?: = [^,}]*)?/g)].map(([, name]) => name);
  const end = names.findIndex((name) => ['options', 'pollInterval', 'fileIds'].includes(name));
  return end < 0 ? names : names.slice(0, end);
}

function filled(value, model) {
  if (value === '{model}') return model;
  if (Array.isArray(value)) return value.map((item) => filled(item, model));
  if (value === null || typeof value !== 'object') return value;
  if ('$file' in value) return new File([FILE], value.$file, { type: 'application/octet-stream' });
  if ('$function' in value) return () => value.$function;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, filled(item, model)]));
}
