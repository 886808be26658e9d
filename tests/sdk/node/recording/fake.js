// An upstream that records requests to the byte and answers any path.

import { once } from 'node:events';
import { createServer } from 'node:http';

import { openai } from './answers.js';

export class Fake {
  #requests = [];

  /** `answer` takes a request and gives status, content type and the pieces of a body. */
  static async start(name, answer = openai) {
    const fake = new Fake();
    fake.name = name;
    fake.answer = answer;
    fake.server = createServer((request, reply) => fake.#serve(request, reply));
    fake.server.listen(0, '127.0.0.1');
    await once(fake.server, 'listening');
    return fake;
  }

  get origin() {
    return `http://127.0.0.1:${this.server.address().port}`;
  }

  get baseURL() {
    return `${this.origin}/v1`;
  }

  /** The requests since the last look. */
  take() {
    return this.#requests.splice(0);
  }

  stop() {
    this.server.close();
    this.server.closeAllConnections();
  }

  async #serve(incoming, reply) {
    const pieces = [];
    for await (const piece of incoming) pieces.push(piece);
    const { method, url: target, headers, headersDistinct } = incoming;
    const request = { method, target, headers, fields: headersDistinct, body: Buffer.concat(pieces) };
    this.#requests.push(request);
    const [status, type, answer] = this.answer(this.name, request);
    reply.writeHead(status, {
      date: 'Sun, 06 Nov 1994 08:49:37 GMT', 'content-type': type, 'x-request-id': 'req_upstream',
      'openai-processing-ms': '7', 'openai-poll-after-ms': '1',
    });
    answer.forEach((piece) => reply.write(piece));
    reply.end();
  }
}

/** Server-sent events: a pair is a name and its data, anything else is data alone. */
export const events = (items) => items.map((item) => {
  const [name, data] = Array.isArray(item) ? item : [undefined, item];
  const text = typeof data === 'string' ? data : JSON.stringify(data);
  return `${name ? `event: ${name}\n` : ''}data: ${text}\n\n`;
});
