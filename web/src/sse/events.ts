import type { SseEvent } from './types';

const LF = 10;
const CR = 13;

/**
 * Parses bytes into server-sent events by the HTML standard (section 9.2.6), split anywhere. Two
 * deviations: `end` dispatches an event without its blank line, since some servers close right
 * after `data: [DONE]`; and `retry` is ignored, since nothing here reconnects by itself.
 */
export class SseParser {
  private readonly decoder = new TextDecoder('utf-8', { ignoreBOM: false });
  private rest = '';
  private afterCr = false;
  private data: string[] = [];
  private event = '';
  private id = '';

  push(bytes: Uint8Array): SseEvent[] {
    return this.feed(this.decoder.decode(bytes, { stream: true }));
  }

  end(): SseEvent[] {
    const out = this.feed(this.decoder.decode());
    if (this.rest !== '') {
      this.line(this.rest, out);
      this.rest = '';
    }
    this.dispatch(out);
    return out;
  }

  private feed(text: string): SseEvent[] {
    const out: SseEvent[] = [];
    let from = 0;
    for (let i = 0; i < text.length; i++) {
      const c = text.charCodeAt(i);
      const skip = c === LF && this.afterCr;
      this.afterCr = c === CR;
      if (skip) {
        from = i + 1;
      } else if (c === LF || c === CR) {
        const line = this.rest + text.slice(from, i);
        this.rest = '';
        from = i + 1;
        this.line(line, out);
      }
    }
    this.rest += text.slice(from);
    return out;
  }

  private line(line: string, out: SseEvent[]): void {
    if (line === '') {
      this.dispatch(out);
      return;
    }
    const colon = line.indexOf(':');
    if (colon === 0) return;
    const field = colon < 0 ? line : line.slice(0, colon);
    let value = colon < 0 ? '' : line.slice(colon + 1);
    if (value.startsWith(' ')) value = value.slice(1);
    if (field === 'data') this.data.push(value);
    else if (field === 'event') this.event = value;
    else if (field === 'id' && !value.includes('\0')) this.id = value;
  }

  private dispatch(out: SseEvent[]): void {
    if (this.data.length > 0) {
      out.push({ event: this.event || 'message', data: this.data.join('\n'), id: this.id });
    }
    this.data = [];
    this.event = '';
  }
}

/** Leaving the loop early cancels the body, so that the gateway stops at once. */
export async function* readEvents(
  body: ReadableStream<Uint8Array>,
  onBytes?: () => void,
): AsyncGenerator<SseEvent, void, undefined> {
  const parser = new SseParser();
  const reader = body.getReader();
  try {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) break;
      onBytes?.();
      yield* parser.push(value);
    }
    yield* parser.end();
  } finally {
    await reader.cancel().catch(() => {});
  }
}
