import { gatewayUrl } from '../api/base';
import { authHeaders } from '../api/key';
import { t } from '../i18n';
import { ChatAccumulator, readEvents } from '../sse';

/** The result of "Try it", updated while it arrives. */
export interface Outcome {
  status: number | null;
  statusText: string;
  headers: [string, string][];
  ms: number;
  /** The response body, truncated to a size that a page can show. */
  body: string;
  /** The text of a streamed chat completion. */
  text: string;
  file: { url: string; name: string } | null;
  problem: string;
  running: boolean;
}

export const EMPTY_OUTCOME: Outcome = {
  status: null,
  statusText: '',
  headers: [],
  ms: 0,
  body: '',
  text: '',
  file: null,
  problem: '',
  running: false,
};

const SHOWN = 200_000;
const HEADERS = [
  'content-type',
  'x-request-id',
  'x-trunkline-request-id',
  'x-trunkline-provider',
  'x-trunkline-model',
  'retry-after',
  'x-should-retry',
];

interface Request {
  method: 'GET' | 'POST';
  path: string;
  body?: string;
  signal: AbortSignal;
}

/** Sends a request with the client key and reports its progress. Never throws. */
export async function send(request: Request, report: (outcome: Outcome) => void): Promise<void> {
  const began = performance.now();
  let outcome: Outcome = { ...EMPTY_OUTCOME, running: true };
  const update = (change: Partial<Outcome>) => {
    outcome = { ...outcome, ...change, ms: performance.now() - began };
    report(outcome);
  };
  update({});
  try {
    const response = await fetch(gatewayUrl(request.path.replace(/^\//, '')), {
      method: request.method,
      headers: { ...authHeaders(), ...(request.body && { 'content-type': 'application/json' }) },
      ...(request.body && { body: request.body }),
      signal: request.signal,
      cache: 'no-store',
    });
    const headers = HEADERS.flatMap((name): [string, string][] => {
      const value = response.headers.get(name);
      return value === null ? [] : [[name, value]];
    });
    update({ status: response.status, statusText: response.statusText, headers });
    await read(response, update);
  } catch (error) {
    if (request.signal.aborted) update({ problem: t('docs.stopped') });
    else update({ problem: problemOf(error) });
  }
  update({ running: false });
}

async function read(response: Response, update: (change: Partial<Outcome>) => void): Promise<void> {
  const type = response.headers.get('content-type') ?? '';
  if (type.startsWith('text/event-stream') && response.body) {
    const chat = new ChatAccumulator();
    let body = '';
    for await (const event of readEvents(response.body)) {
      const named = event.event === 'message' ? '' : `event: ${event.event}\n`;
      body = clip(`${body}${named}data: ${event.data}\n\n`);
      chat.push(event.data);
      update({ body, text: chat.state.content || chat.state.reasoning });
    }
  } else if (/^(?:application\/(?:[\w.-]+\+)?json|text\/)/.test(type)) {
    update({ body: clip(pretty(await response.text())) });
  } else {
    const blob = await response.blob();
    const extension = /^\w+\/(?:x-)?(\w+)/.exec(type)?.[1]?.replace('mpeg', 'mp3') ?? 'bin';
    const file = { url: URL.createObjectURL(blob), name: `response.${extension}` };
    update({ file, body: t('docs.bytes', { n: blob.size, type: type || '?' }) });
  }
}

function clip(body: string): string {
  return body.length <= SHOWN ? body : `${body.slice(0, SHOWN)}\n${t('docs.truncated')}`;
}

function pretty(body: string): string {
  try {
    return JSON.stringify(JSON.parse(body), null, 2);
  } catch {
    return body;
  }
}

function problemOf(error: unknown): string {
  const name = error instanceof Error ? error.message : String(error);
  return navigator.onLine ? t('docs.noConnection', { problem: name }) : t('fault.deviceOffline');
}
