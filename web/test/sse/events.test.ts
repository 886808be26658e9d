import { describe, expect, it } from 'vitest';
import { readEvents, SseParser } from '../../src/sse';

const encoder = new TextEncoder();

function all(pieces: Uint8Array[]): string[] {
  const parser = new SseParser();
  const events = pieces.flatMap((piece) => parser.push(piece));
  return [...events, ...parser.end()].map((e) => `${e.event}|${e.id}|${e.data}`);
}

const document = [
  '\ufeff: hello',
  'data: one',
  '',
  'event: named',
  'id: 7',
  'data: größer 🦀',
  'data:second line',
  'data',
  '',
  ': keep-alive',
  '',
  'retry: 100',
  'unknown: field',
  'data:  two spaces',
  '',
  'id: with\0null',
  'event: nobody hears it',
  '',
  'data: [DONE]',
  '',
  '',
].join('\n');

const expected = [
  'message||one',
  'named|7|größer 🦀\nsecond line\n',
  'message|7| two spaces',
  'message|7|[DONE]',
];

describe.each([
  ['LF', '\n'],
  ['CRLF', '\r\n'],
  ['CR', '\r'],
])('events with %s', (_, newline) => {
  const bytes = encoder.encode(document.replaceAll('\n', newline));

  it('are read in one piece', () => {
    expect(all([bytes])).toEqual(expected);
  });

  it('are read when cut at every byte', () => {
    for (let at = 0; at <= bytes.length; at++) {
      expect(all([bytes.slice(0, at), bytes.slice(at)]), `cut at ${at}`).toEqual(expected);
    }
  });

  it('are read byte by byte', () => {
    expect(all([...bytes].map((byte) => Uint8Array.of(byte)))).toEqual(expected);
  });
});

describe('the end of a body', () => {
  it('dispatches an event without its blank line', () => {
    expect(all([encoder.encode('data: [DONE]')])).toEqual(['message||[DONE]']);
    expect(all([encoder.encode('data: a\n')])).toEqual(['message||a']);
  });

  it('dispatches nothing for an empty body or for comments', () => {
    expect(all([])).toEqual([]);
    expect(all([encoder.encode(':\n\n: x')])).toEqual([]);
  });

  it('removes a byte order mark at the start only', () => {
    expect(all([encoder.encode('data: a\ufeffb\n\n')])).toEqual(['message||a\ufeffb']);
  });
});

describe('readEvents', () => {
  it('cancels the body when the loop ends early', async () => {
    let cancelled = false;
    const body = new ReadableStream<Uint8Array>({
      pull(controller) {
        controller.enqueue(encoder.encode('data: x\n\n'));
      },
      cancel() {
        cancelled = true;
      },
    });
    for await (const event of readEvents(body)) {
      expect(event.data).toBe('x');
      break;
    }
    expect(cancelled).toBe(true);
  });
});
