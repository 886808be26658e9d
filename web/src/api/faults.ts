import { toApiError } from '../sse';
import type { Fault, FaultKind } from '../store/types';

/** Maps HTTP responses, stream errors and network errors to the kind of error card. */

const MAX_RAW = 4000;

const BY_CODE: Record<string, FaultKind> = {
  upstream_not_configured: 'setup',
  invalid_api_key: 'key',
  insufficient_quota: 'payment',
  model_not_found: 'model',
  request_too_large: 'too-large',
  overloaded: 'overloaded',
  server_shutting_down: 'overloaded',
  upstream_auth_failed: 'upstream-key',
  upstream_forbidden: 'upstream-key',
  upstream_timeout: 'timeout',
  upstream_connect_timeout: 'timeout',
  request_timeout: 'timeout',
};

const BY_STATUS: Record<number, FaultKind> = {
  401: 'key',
  402: 'payment',
  403: 'forbidden',
  404: 'model',
  408: 'timeout',
  413: 'too-large',
  429: 'rate',
  502: 'upstream',
  503: 'overloaded',
  504: 'timeout',
};

export function faultKind(status: number, code: string | null): FaultKind {
  const known = code === null ? undefined : BY_CODE[code];
  if (known) return known;
  const byStatus = BY_STATUS[status];
  if (byStatus) return byStatus;
  return status >= 500 ? 'server' : 'request';
}

export async function responseFault(response: Response, now = Date.now()): Promise<Fault> {
  const raw = await response.text().catch(() => '');
  const error = toApiError(
    parse(raw),
    `The response has status ${response.status} and no error message.`,
  );
  const fault: Fault = {
    kind: faultKind(response.status, error.code),
    message: error.message,
    status: response.status,
    ...identity(response.headers),
  };
  if (error.code) fault.code = error.code;
  if (error.type) fault.type = error.type;
  if (error.param) fault.param = error.param;
  if (raw) fault.raw = raw.slice(0, MAX_RAW);
  const wait = retryAfter(response.headers.get('retry-after'), now);
  if (wait !== undefined) fault.retryAt = wait;
  const missing =
    fault.kind === 'setup' ? /\b[A-Z][A-Z0-9]*_[A-Z0-9_]+\b/.exec(error.message) : null;
  if (missing) fault.missing = missing[0];
  return fault;
}

/** An error event inside a stream with status 200. */
export function streamFault(error: {
  message: string;
  type: string | null;
  code: string | null;
}): Fault {
  return {
    kind: error.code === 'upstream_timeout' ? 'timeout' : 'in-stream',
    message: error.message,
    ...(error.code && { code: error.code }),
    ...(error.type && { type: error.type }),
    raw: JSON.stringify({ error }, null, 2).slice(0, MAX_RAW),
  };
}

/** `fetch` itself failed: no status, no headers, no body. */
export function networkFault(online: boolean): Fault {
  return {
    kind: 'offline',
    message: online
      ? 'No response. The gateway may be stopped or restarting.'
      : 'This device is offline.',
  };
}

/** Request id and provider, from the gateway's response headers. */
export function identity(headers: Headers): {
  requestId?: string;
  provider?: string;
} {
  const requestId = headers.get('x-trunkline-request-id') ?? headers.get('x-request-id');
  const provider = headers.get('x-trunkline-provider');
  return { ...(requestId && { requestId }), ...(provider && { provider }) };
}

/**
 * `retry-after` (seconds or an HTTP date) as epoch milliseconds; undefined if invalid or in the
 * past.
 */
export function retryAfter(value: string | null, now: number): number | undefined {
  if (!value) return undefined;
  const seconds = Number(value);
  const at = Number.isFinite(seconds) ? now + seconds * 1000 : Date.parse(value);
  return Number.isFinite(at) && at >= now ? at : undefined;
}

function parse(raw: string): unknown {
  try {
    return JSON.parse(raw);
  } catch {
    return undefined;
  }
}
