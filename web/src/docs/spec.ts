/** The parts of an OpenAPI 3.1 document that the page shows. */

export interface Field {
  name: string;
  type: string;
  required: boolean;
  description: string;
}

export interface ResponseInfo {
  status: string;
  description: string;
}

export interface Operation {
  id: string;
  method: 'GET' | 'POST';
  path: string;
  tag: string;
  summary: string;
  description: string;
  /** No key required. */
  open: boolean;
  params: Field[];
  /** Null if the operation has no body. */
  fields: Field[] | null;
  responses: ResponseInfo[];
  streams: boolean;
}

export interface Spec {
  title: string;
  version: string;
  description: string;
  operations: Operation[];
}

type Json = Record<string, unknown>;

const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const object = (value: unknown): Json => (isObject(value) ? value : {});
const list = (value: unknown): unknown[] => (Array.isArray(value) ? value : []);
const text = (value: unknown): string => (typeof value === 'string' ? value : '');

export function readSpec(document: unknown): Spec {
  const root = object(document);
  const info = object(root.info);
  const operations = Object.entries(object(root.paths)).flatMap(([path, item]) =>
    Object.entries(object(item)).flatMap(([method, operation]) =>
      method === 'get' || method === 'post'
        ? [readOperation(root, path, method === 'get' ? 'GET' : 'POST', object(operation))]
        : [],
    ),
  );
  return {
    title: text(info.title),
    version: text(info.version),
    description: text(info.description),
    operations,
  };
}

function readOperation(root: Json, path: string, method: 'GET' | 'POST', from: Json): Operation {
  const content = object(object(from.requestBody).content);
  const schema = object(content['application/json']).schema;
  const responses = Object.entries(object(from.responses));
  const ok = object(responses.find(([status]) => status.startsWith('2'))?.[1]);
  return {
    id: text(from.operationId) || `${method} ${path}`,
    method,
    path,
    tag: text(list(from.tags)[0]) || 'Other',
    summary: text(from.summary),
    description: text(from.description),
    open: Array.isArray(from.security) && from.security.length === 0,
    params: list(from.parameters).map((param) => readParam(root, resolve(root, param))),
    fields: schema === undefined ? null : readFields(root, resolve(root, schema)),
    responses: responses.map(([status, response]) => ({
      status,
      description: text(resolve(root, response).description),
    })),
    streams: 'text/event-stream' in object(resolve(root, ok).content),
  };
}

function readParam(root: Json, param: Json): Field {
  return {
    name: text(param.name),
    type: typeName(resolve(root, param.schema)),
    required: param.required === true,
    description: text(param.description),
  };
}

function readFields(root: Json, schema: Json): Field[] {
  const required = new Set(list(schema.required));
  return Object.entries(object(schema.properties)).map(([name, property]) => {
    const resolved = resolve(root, property);
    return {
      name,
      type: typeName(resolved),
      required: required.has(name),
      description: text(resolved.description),
    };
  });
}

function typeName(schema: Json): string {
  const types = (Array.isArray(schema.type) ? schema.type : [schema.type]).filter(
    (type) => typeof type === 'string' && type !== 'null',
  );
  return types.join(' or ') || 'any';
}

/** Follows `$ref`s within the document, a few levels at most. */
function resolve(root: Json, value: unknown): Json {
  let found = object(value);
  for (let hops = 0; typeof found.$ref === 'string' && hops < 8; hops++) {
    const steps = found.$ref.replace(/^#\//, '').split('/');
    let at: unknown = root;
    for (const step of steps) at = object(at)[step.replaceAll('~1', '/').replaceAll('~0', '~')];
    found = object(at);
  }
  return found;
}
