// Where two recorded requests differ.

// The rules for request headers that the documentation states: see docs/endpoints.md.
const NOT_PASSED = new Set(['accept-encoding', 'connection', 'openai-organization', 'openai-project']);

/** A request as it must be on both sides. Each multipart request has a boundary of its own, of the same length. */
function comparable(request) {
  const boundary = /boundary="?([^\s;"]+)/.exec(request.headers['content-type'])?.[1];
  const same = (text) => (boundary ? text.replaceAll(boundary, 'BOUNDARY') : text);
  const fields = Object.entries(request.fields).filter(([name]) => !NOT_PASSED.has(name));
  return {
    method: request.method,
    target: request.target,
    headers: Object.fromEntries(fields.map(([name, values]) => [name, values.map(same)])),
    body: same(request.body.toString('latin1')),
  };
}

export const comparables = (requests) => requests.map(comparable);
