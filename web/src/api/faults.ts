import { t } from '../i18n';
import { toApiError } from '../sse/api-error';
import type { Fault, FaultKind, FaultLimit } from '../store/types';
import { isObject } from '../store/validate';

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
  blocked: 'blocked',
  request_exceeds_limit: 'exceeds',
  unmetered_endpoint: 'unmetered',
  unpriced_model: 'unmetered',
};

/** Where a limit of the caller is named: otherwise, the provider's limit or account. */
const OF_OWN_LIMIT: Partial<Record<FaultKind, FaultKind>> = { rate: 'limit', payment: 'quota' };

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
  const body = parse(raw);
  const limit = limitOf(body);
  const error = toApiError(body, t('fault.noMessage', { status: `${response.status}` }));
  const kind = faultKind(response.status, error.code);
  const fault: Fault = {
    kind: (limit && OF_OWN_LIMIT[kind]) ?? kind,
    message: error.message,
    status: response.status,
    ...identity(response.headers),
  };
  if (error.code) fault.code = error.code;
  if (error.type) fault.type = error.type;
  if (error.param) fault.param = error.param;
  if (raw) fault.raw = raw.slice(0, MAX_RAW);
  const wait =
    afterMilliseconds(response.headers.get('retry-after-ms'), now) ??
    retryAfter(response.headers.get('retry-after'), now) ??
    (fault.kind === 'quota' ? limit?.resetsAt : undefined);
  if (wait !== undefined) fault.retryAt = wait;
  if (limit) fault.limit = limit.fault;
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
    message: online ? t('fault.noResponse') : t('fault.deviceOffline'),
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

/** More exact than `retry-after`, where a gateway sends it. */
function afterMilliseconds(value: string | null, now: number): number | undefined {
  const wait = value ? Number(value) : Number.NaN;
  return wait >= 0 && Number.isFinite(wait) ? now + wait : undefined;
}

function limitOf(body: unknown): { fault: FaultLimit; resetsAt?: number } | undefined {
  const error = isObject(body) && isObject(body.error) ? body.error : {};
  const { limit } = error;
  if (!isObject(limit) || typeof limit.rule !== 'string') return undefined;
  const text = (name: string) => (limit[name] == null ? undefined : String(limit[name]));
  const period = text('period');
  const requested = text('requested');
  const resetsAt = Date.parse(text('resets_at') ?? '');
  return {
    fault: {
      rule: limit.rule,
      subject: text('subject') ?? '',
      of: text('of') ?? '',
      ...(period && { period }),
      limit: text('limit') ?? '0',
      used: text('used') ?? '0',
      ...(requested && { requested }),
    },
    ...(Number.isFinite(resetsAt) && { resetsAt }),
  };
}

function parse(raw: string): unknown {
  try {
    return JSON.parse(raw);
  } catch {
    return undefined;
  }
}
