// An upstream that records requests byte for byte and responds to any path.

import { once } from 'node:events';
import { createServer } from 'node:http';

import { openai } from './responses.js';

export class Fake {
  #requests = [];

  /** `respond` takes a request and returns status, content type and chunks of the body. */
  static async start(name, respond = openai) {
    const fake = new Fake();
    fake.name = name;
    fake.respond = respond;
    fake.server = createServer((request, response) => fake.#serve(request, response));
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

  /** The requests since the last call. */
  take() {
    return this.#requests.splice(0);
  }

  stop() {
    this.server.close();
    this.server.closeAllConnections();
  }

  async #serve(incoming, response) {
    const chunks = [];
    for await (const chunk of incoming) chunks.push(chunk);
    const { method, url: target, headers, headersDistinct } = incoming;
    const request = { method, target, headers, fields: headersDistinct, body: Buffer.concat(chunks) };
    this.#requests.push(request);
    const [status, type, body] = this.respond(this.name, request);
    response.writeHead(status, {
      date: 'Sun, 06 Nov 1994 08:49:37 GMT', 'content-type': type, 'x-request-id': 'req_upstream',
      'openai-processing-ms': '7', 'openai-poll-after-ms': '1',
    });
    body.forEach((chunk) => response.write(chunk));
    response.end();
  }
}

/** Server-sent events: a pair is name and data, anything else only data. */
export const events = (items) => items.map((item) => {
  const [name, data] = Array.isArray(item) ? item : [undefined, item];
  const text = typeof data === 'string' ? data : JSON.stringify(data);
  return `${name ? `event: ${name}\n` : ''}data: ${text}\n\n`;
});
