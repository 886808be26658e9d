// Comparison of recorded requests.

// Request headers that are not forwarded unchanged, or added: see docs/endpoints.md.
const NOT_FORWARDED = new Set(['accept-encoding', 'connection', 'openai-organization', 'openai-project', 'x-trunkline-hops']);

/** The parts of a request that must be equal on both sides. The boundary is different in each multipart request. */
function comparable(request) {
  const boundary = /boundary="?([^\s;"]+)/.exec(request.headers['content-type'])?.[1];
  const same = (text) => (boundary ? text.replaceAll(boundary, 'BOUNDARY') : text);
  const fields = Object.entries(request.fields).filter(([name]) => !NOT_FORWARDED.has(name));
  return {
    method: request.method,
    target: request.target,
    headers: Object.fromEntries(fields.map(([name, values]) => [name, values.map(same)])),
    body: same(request.body.toString('latin1')),
  };
}

export const comparables = (requests) => requests.map(comparable);
