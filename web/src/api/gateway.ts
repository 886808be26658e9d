import { t } from '../i18n';
import { createStore } from '../store/create-store';
import { notify } from '../store/notices';
import { isObject } from '../store/validate';
import { gatewayUrl } from './base';
import { responseFault } from './faults';
import { modelHealth } from './health';
import { authHeaders, keyStore } from './key';
import { mergeListed, parseModelList } from './model-list';
import type { GatewayStatus, Model } from './types';

export interface Gateway {
  /**
   * `key`: a client key is required. `down`: no response. `rejected`: the gateway rejects this
   * page.
   */
  phase: 'loading' | 'ready' | 'key' | 'down' | 'rejected';
  models: Model[];
  /** Null if the gateway serves only the model list. */
  status: GatewayStatus | null;
  /** Time of the next poll while the gateway is down. */
  retryAt: number | null;
  problem: string | null;
}

export const gatewayStore = createStore<Gateway>({
  phase: 'loading',
  models: [],
  status: null,
  retryAt: null,
  problem: null,
});

/**
 * Long enough to cause no load worth noting, short enough for new models to appear by themselves.
 */
const REFRESH_MS = 20_000;
const FIRST_RETRY_MS = 2000;
const LONGEST_RETRY_MS = 30_000;

let timer: ReturnType<typeof setTimeout> | undefined;
let retryMs = FIRST_RETRY_MS;
let pending: Promise<void> | undefined;
/** Models of `v1/models`, used when providers list models of their own. */
let listed: Model[] = [];

/** Polls now, then on a timer while the page is visible. */
export function refreshGateway(): Promise<void> {
  pending ??= poll().finally(() => {
    pending = undefined;
  });
  return pending;
}

export function startGateway(): void {
  void refreshGateway();
  keyStore.subscribe(() => {
    // Another key may have access to other models.
    listed = [];
    // A poll in progress still uses the previous key.
    void Promise.resolve(pending).then(refreshGateway);
  });
  addEventListener('online', () => void refreshGateway());
  document.addEventListener('visibilitychange', () => {
    if (document.visibilityState === 'visible') void refreshGateway();
  });
}

/** Applies a status received over another transport: the event stream. */
export function applyStatus(status: GatewayStatus): void {
  retryMs = FIRST_RETRY_MS;
  const before = gatewayStore.get();
  // With thousands of models, rebuilding the list on each event would be slow.
  const same =
    before.status?.models === status.models && before.status.providers === status.providers;
  const models = same ? before.models : mergeListed(modelsOf(status), listed);
  patchGateway({ phase: 'ready', models, status });
}

async function poll(): Promise<void> {
  clearTimeout(timer);
  try {
    const response = await get('trunkline/status');
    const body: unknown = response.ok ? await response.json().catch(() => null) : null;
    if (isStatus(body)) {
      applyStatus(body);
      await refreshListed(body.discovers === true);
    } else if (response.status === 404 || response.ok) await pollModelList();
    else await onRejected(response);
  } catch {
    onUnreachable();
    return;
  }
  timer = setTimeout(pollIfVisible, REFRESH_MS);
}

/** An older gateway, or one with the status switched off, still serves the model list. */
async function pollModelList(): Promise<void> {
  const response = await get('v1/models');
  if (!response.ok) {
    await onRejected(response);
    return;
  }
  const models = parseModelList(await response.json());
  patchGateway({ phase: 'ready', models, status: null });
}

/**
 * Adds models from provider discovery, which the status leaves out. Never on the critical path.
 */
async function refreshListed(discovers: boolean): Promise<void> {
  const key = keyStore.get();
  const found = discovers ? await fetchModelList() : [];
  const { status } = gatewayStore.get();
  // A failed request leaves the list as it is.
  if (!found || !status || keyStore.get() !== key || same(found, listed)) return;
  listed = found;
  patchGateway({ models: mergeListed(modelsOf(status), listed) });
}

async function fetchModelList(): Promise<Model[] | null> {
  try {
    const response = await get('v1/models');
    return response.ok ? parseModelList(await response.json()) : null;
  } catch {
    return null;
  }
}

const same = (some: Model[], others: Model[]) =>
  some.length === others.length && some.every((model, i) => model.id === others[i]?.id);

async function onRejected(response: Response): Promise<void> {
  const fault = await responseFault(response);
  if (response.status === 401) patchGateway({ phase: 'key', models: [], status: null });
  else if (response.status >= 500) throw new Error(fault.message);
  else patchGateway({ phase: 'rejected', problem: fault.message });
}

function onUnreachable(): void {
  patchGateway({ phase: 'down', retryAt: Date.now() + retryMs });
  timer = setTimeout(pollIfVisible, retryMs);
  retryMs = Math.min(retryMs * 2, LONGEST_RETRY_MS);
}

function pollIfVisible(): void {
  // A hidden page polls when it becomes visible again.
  if (document.visibilityState === 'visible') void refreshGateway();
}

function patchGateway(patch: Partial<Gateway>): void {
  if (patch.phase === 'ready' && gatewayStore.get().phase === 'key' && keyStore.get()) {
    const names = (patch.models ?? []).filter((model) => model.ready).map((model) => model.id);
    const others = patch.status?.discovers ? t('key.discovered') : t('key.noneReady');
    notify(t('key.accepted', { models: names.join(t('list.comma')) || others }));
  }
  gatewayStore.update((now) => ({ ...now, retryAt: null, problem: null, ...patch }));
}

function get(path: string): Promise<Response> {
  return fetch(gatewayUrl(path), { headers: authHeaders(), cache: 'no-store' });
}

function isStatus(value: unknown): value is GatewayStatus {
  return isObject(value) && Array.isArray(value.models) && Array.isArray(value.providers);
}

export function modelsOf(status: GatewayStatus): Model[] {
  const states = new Map(status.providers.map((provider) => [provider.name, provider]));
  return status.models.map((model) => ({
    id: model.id,
    provider: model.provider,
    upstreamModel: model.upstream_model,
    ready: model.ready,
    missing: model.missing ?? states.get(model.provider)?.missing ?? null,
    health: modelHealth(model, status.recent ?? []),
    firstTokenMs: model.first_token_ms?.p50 ?? null,
    price: model.price ?? null,
    context: model.context ?? null,
  }));
}
