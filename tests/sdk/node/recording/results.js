// Results of SDK calls as plain values that can be compared.

// Hop-by-hop response headers, and `server-timing`, to which Trunkline may append.
const HOP_BY_HOP = ['connection', 'keep-alive', 'transfer-encoding', 'content-length', 'server-timing'];

const plain = (value) => JSON.parse(JSON.stringify(value ?? null));

/** The response headers without hop-by-hop ones and those that Trunkline adds. */
const headers = (response) => [...response.headers].filter(([name]) => !HOP_BY_HOP.includes(name) && !name.startsWith('x-trunkline-'));

async function collect(items) {
  const all = [];
  for await (const item of items) all.push(plain(item));
  return all;
}

export async function resultOf(result) {
  if (result.withResponse) {
    const { data, response } = await result.withResponse();
    return [response.status, headers(response), await content(data)];
  }
  if (Symbol.asyncIterator in result) return collect(result);
  if (result.finalChatCompletion) return plain(await result.finalChatCompletion());
  return content(await result);
}

async function content(data) {
  if (data instanceof Response) return [...new Uint8Array(await data.arrayBuffer())];
  if (data?.iterPages) return [plain(data.data), await collect(data)];
  if (data?.[Symbol.asyncIterator]) return collect(data);
  return plain(data);
}
