// A fake model server on node:http. The model's name in the body selects the
// behaviour. Requests are recorded.

import { createServer } from 'node:http';
import { EventEmitter, once } from 'node:events';

export const EMBEDDING = [0.25, -1.5, 3];
export const SOUND = Buffer.from(Array.from({ length: 10_240 }, (_, index) => index % 256));

const chunk = (delta, finish = null) => ({
  id: 'c1', object: 'chat.completion.chunk', created: 1, model: 'real',
  choices: [{ index: 0, delta, finish_reason: finish }],
});

const completion = (message, finish = 'stop') => ({
  id: 'c1', object: 'chat.completion', created: 1, model: 'real',
  choices: [{ index: 0, message: { role: 'assistant', ...message }, finish_reason: finish }],
  usage: { prompt_tokens: 11, completion_tokens: 7, total_tokens: 18 },
});

const responseObject = (status = 'completed') => ({
  id: 'r1', object: 'response', created_at: 1, status, model: 'real',
  output: [{
    id: 'msg1', type: 'message', role: 'assistant', status: 'completed',
    content: [{ type: 'output_text', text: 'Hello there', annotations: [] }],
  }],
  usage: { input_tokens: 5, output_tokens: 3, total_tokens: 8 },
});

/** Only once: after the tool's result the completion is text. */
const callsATool = (body) => body.tools && body.messages.at(-1).role !== 'tool';

const toolCall = (args, more = {}) => ({ index: 0, function: { arguments: args, ...more } });

const endpoints = {
  '/v1/chat/completions': (body, wire) => {
    if (body.stream) return streamChat(body, wire);
    if (!callsATool(body)) return wire.json(completion({ content: 'Hello there' }));
    const call = { id: 'call1', type: 'function', function: { name: 'weather', arguments: '{"city":"Oslo"}' } };
    return wire.json(completion({ content: null, tool_calls: [call] }, 'tool_calls'));
  },
  '/v1/completions': (_, wire) => wire.json({
    id: 'c1', object: 'text_completion', created: 1, model: 'real',
    choices: [{ index: 0, text: 'Hello there', finish_reason: 'stop', logprobs: null }],
  }),
  '/v1/embeddings': (body, wire) => {
    const packed = () => Buffer.from(Float32Array.from(EMBEDDING).buffer).toString('base64');
    const embedding = body.encoding_format === 'base64' ? packed() : EMBEDDING;
    wire.json({
      object: 'list', model: 'real', data: [{ object: 'embedding', index: 0, embedding }],
      usage: { prompt_tokens: 2, total_tokens: 2 },
    });
  },
  '/v1/responses': (body, wire) => {
    if (!body.stream) return wire.json(responseObject());
    const delta = (text, at) => ({
      type: 'response.output_text.delta', sequence_number: at, item_id: 'msg1', output_index: 0, content_index: 0, delta: text,
    });
    const events = [
      { type: 'response.created', sequence_number: 0, response: responseObject('in_progress') },
      delta('Hello ', 1),
      delta('there', 2),
      { type: 'response.completed', sequence_number: 3, response: responseObject() },
    ];
    return wire.events(events.map((event) => `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`));
  },
  '/v1/moderations': (_, wire) => wire.json({
    id: 'm1', model: 'real', results: [{ flagged: true, categories: {}, category_scores: {} }],
  }),
  '/v1/images/generations': (_, wire) => wire.json({ created: 1, data: [{ b64_json: 'cGljdHVyZQ==' }] }),
  '/v1/audio/speech': (_, wire) => wire.send(200, 'audio/mpeg', SOUND),
};

function streamChat(body, wire) {
  const first = { ...toolCall('', { name: 'weather' }), id: 'call1', type: 'function' };
  const calls = callsATool(body);
  const events = calls
    ? [first, toolCall('{"city":'), toolCall('"Oslo"}')].map((call) => chunk({ tool_calls: [call] }))
    : [chunk({ role: 'assistant', content: '' }), chunk({ content: 'Hello ' }), chunk({ content: 'thère' })];
  events.push(chunk({}, calls ? 'tool_calls' : 'stop'));
  if (body.stream_options?.include_usage) {
    events.push({ ...chunk({}), choices: [], usage: { prompt_tokens: 11, completion_tokens: 7, total_tokens: 18 } });
  }
  wire.events([...events.map((event) => `data: ${JSON.stringify(event)}\n\n`), 'data: [DONE]\n\n']);
}

const hello = `data: ${JSON.stringify(chunk({ content: 'Hello' }))}\n\n`;

const specials = {
  status: (value, wire) => {
    const error = { message: `status ${value}`, type: 'some_error', param: 'p', code: 'some_code' };
    wire.send(Number(value), 'application/json', JSON.stringify({ error }));
  },
  recovers: (value, wire) => {
    if (wire.times() <= Number(value)) specials.status('503', wire);
    else wire.json(completion({ content: 'Hello there' }));
  },
  page: (value, wire) => wire.send(Number(value), 'text/html', '<html>oops</html>'),
  silent: (_, wire) => wire.untilDisconnected(),
  cut: (value, wire) => {
    wire.start();
    // The connection is cut only after the preceding data is written.
    wire.write(value === 'inside' ? `${hello}data: {"choices":[{"del` : hello, () => wire.destroy());
  },
  failing: (_, wire) => {
    const error = { message: 'no capacity', type: 'server_error', param: null, code: 'overloaded' };
    wire.events([hello, `data: ${JSON.stringify({ error })}\n\n`]);
  },
  city: (_, wire) => wire.json(completion({ content: '{"city":"Oslo"}' })),
  // Thinks, and calls a custom tool, which is a function with the argument `input`.
  patch: (_, wire, body) => {
    if (!callsATool(body)) return endpoints['/v1/chat/completions'](body, wire);
    const first = { ...toolCall('', { name: 'apply_patch' }), id: 'call_0123456789abcdef', type: 'function' };
    const parts = ['{"inp', 'ut": "+caf\\u00', 'e9\\', 'n"}'].map((args) => toolCall(args));
    const events = [
      chunk({ reasoning_content: 'Let me ' }), chunk({ reasoning_content: 'see.' }), chunk({ content: 'Patching.' }),
      ...[first, ...parts].map((call) => chunk({ tool_calls: [call] })),
      chunk({}, 'tool_calls'),
    ];
    return wire.events([...events.map((event) => `data: ${JSON.stringify(event)}\n\n`), 'data: [DONE]\n\n']);
  },
  endless: (_, wire) => {
    wire.start();
    wire.write(hello);
    wire.untilDisconnected();
  },
};

/** A running server, the requests it received, and a `disconnected` event for each client that disconnects. */
export class Upstream extends EventEmitter {
  requests = [];

  static async start() {
    const upstream = new Upstream();
    upstream.server = createServer((request, response) => upstream.#serve(request, response));
    upstream.server.listen(0, '127.0.0.1');
    await once(upstream.server, 'listening');
    return upstream;
  }

  get baseURL() {
    return `http://127.0.0.1:${this.server.address().port}/v1`;
  }

  /** The requests that carry this mark in their `x-test` header. */
  seen(mark) {
    return this.requests.filter((request) => request.headers['x-test'] === mark);
  }

  stop() {
    this.server.close();
    this.server.closeAllConnections();
  }

  async #serve(request, response) {
    const chunks = [];
    for await (const data of request) chunks.push(data);
    const body = JSON.parse(Buffer.concat(chunks).toString());
    this.requests.push({ path: request.url, headers: request.headers, body });
    const wire = this.#wire(request, response);
    const [kind, ...value] = body.model.split('-');
    if (specials[kind]) specials[kind](value.join('-'), wire, body);
    else endpoints[request.url](body, wire);
  }

  #wire(request, response) {
    const send = (status, type, body) => {
      response.writeHead(status, { 'content-type': type, 'x-request-id': 'req_upstream' });
      response.end(body);
    };
    const start = () => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.flushHeaders();
    };
    return {
      send,
      start,
      json: (body) => send(200, 'application/json', JSON.stringify(body)),
      write: (text, sent) => response.write(text, sent),
      events: (events) => {
        start();
        events.forEach((event) => response.write(event));
        response.end();
      },
      destroy: () => request.socket.destroySoon(),
      untilDisconnected: () => response.on('close', () => this.emit('disconnected')),
      times: () => this.seen(request.headers['x-test']).length,
    };
  }
}
