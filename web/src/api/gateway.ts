import { isObject } from '../store/check';
import { createStore } from '../store/create';
import { notify } from '../store/notices';
import { gatewayUrl } from './base';
import { faultOf } from './faults';
import { authHeaders, keyStore } from './key';
import { listedIn, withListed } from './listed';
import type { GatewayStatus, Model, TargetStatus } from './types';

/** What is known of the gateway: its models, and whether it answers at all. */
export interface Gateway {
  /** `key`: it wants one. `down`: no answer. `refused`: it answers, but not this page. */
  phase: 'loading' | 'ready' | 'key' | 'down' | 'refused';
  models: Model[];
  /** Null where the gateway offers the list of models only. */
  status: GatewayStatus | null;
  /** When a gateway that is down will be asked again. */
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

/** Seldom enough not to be noticed, often enough that a new model shows up by itself. */
const REFRESH_MS = 20_000;
const FIRST_RETRY_MS = 2000;
const LONGEST_RETRY_MS = 30_000;

let timer: ReturnType<typeof setTimeout> | undefined;
let retryMs = FIRST_RETRY_MS;
let asking: Promise<void> | undefined;
/** What `v1/models` names, where providers list models of their own. */
let listed: Model[] = [];

/** Asks for the state now, and from then on as long as the page is looked at. */
export function refreshGateway(): Promise<void> {
  asking ??= ask().finally(() => {
    asking = undefined;
  });
  return asking;
}

export function startGateway(): void {
  void refreshGateway();
  keyStore.subscribe(() => {
    // Another key may use others.
    listed = [];
    // What is being asked at this moment is asked with the former key.
    void Promise.resolve(asking).then(refreshGateway);
  });
  addEventListener('online', () => void refreshGateway());
  document.addEventListener('visibilitychange', () => {
    if (document.visibilityState === 'visible') void refreshGateway();
  });
}

/** Takes over a status that came by another way, such as the event stream. */
export function applyStatus(status: GatewayStatus): void {
  retryMs = FIRST_RETRY_MS;
  const before = gatewayStore.get();
  // With thousands of models it matters that nothing is made of them anew.
  const same =
    before.status?.models === status.models && before.status.providers === status.providers;
  const models = same ? before.models : withListed(modelsOf(status), listed, status);
  settle({ phase: 'ready', models, status });
}

async function ask(): Promise<void> {
  clearTimeout(timer);
  try {
    const response = await get('trunkline/status');
    const body: unknown = response.ok ? await response.json().catch(() => null) : null;
    if (isStatus(body)) {
      applyStatus(body);
      await askForMore(body.discovers === true);
    } else if (response.status === 404 || response.ok) await askForList();
    else await refuse(response);
  } catch {
    goDown();
    return;
  }
  timer = setTimeout(again, REFRESH_MS);
}

/** An older gateway, or one whose status is switched off, still lists its models. */
async function askForList(): Promise<void> {
  const response = await get('v1/models');
  if (!response.ok) {
    await refuse(response);
    return;
  }
  const models = listedIn(await response.json());
  settle({ phase: 'ready', models, status: null });
}

/** Models that providers list themselves: the status does not name them. It is never waited for. */
async function askForMore(discovers: boolean): Promise<void> {
  const key = keyStore.get();
  const found = discovers ? await listNow() : [];
  const { status } = gatewayStore.get();
  // No answer is no news.
  if (!found || !status || keyStore.get() !== key || same(found, listed)) return;
  listed = found;
  settle({ models: withListed(modelsOf(status), listed, status) });
}

async function listNow(): Promise<Model[] | null> {
  try {
    const response = await get('v1/models');
    return response.ok ? listedIn(await response.json()) : null;
  } catch {
    return null;
  }
}

const same = (some: Model[], others: Model[]) =>
  some.length === others.length && some.every((each, i) => each.id === others[i]?.id);

async function refuse(response: Response): Promise<void> {
  const fault = await faultOf(response);
  if (response.status === 401) settle({ phase: 'key', models: [], status: null });
  else if (response.status >= 500) throw new Error(fault.message);
  else settle({ phase: 'refused', problem: fault.message });
}

function goDown(): void {
  settle({ phase: 'down', retryAt: Date.now() + retryMs });
  timer = setTimeout(again, retryMs);
  retryMs = Math.min(retryMs * 2, LONGEST_RETRY_MS);
}

function again(): void {
  // A page that nobody looks at asks when it is looked at again.
  if (document.visibilityState === 'visible') void refreshGateway();
}

function settle(patch: Partial<Gateway>): void {
  if (patch.phase === 'ready' && gatewayStore.get().phase === 'key' && keyStore.get()) {
    const names = (patch.models ?? []).filter((each) => each.ready).map((each) => each.id);
    const others = patch.status?.discovers ? 'what providers list' : 'no model that is ready';
    notify(`Key accepted. It may use: ${names.join(', ') || others}.`);
  }
  gatewayStore.update((now) => ({ ...now, retryAt: null, problem: null, ...patch }));
}

function get(path: string): Promise<Response> {
  return fetch(gatewayUrl(path), { headers: authHeaders(), cache: 'no-store' });
}

function isStatus(value: unknown): value is GatewayStatus {
  return isObject(value) && Array.isArray(value.models) && Array.isArray(value.providers);
}

const OUT = new Set(['ejected', 'cooling', 'benched', 'exhausted', 'unwell']);

/** How many of a model's targets are left out for a while, of those that are set up. */
export function outOf(targets: TargetStatus[] | undefined) {
  const usable = targets?.filter((each) => each.state !== 'not_configured') ?? [];
  const count = usable.filter((each) => OUT.has(each.state)).length;
  return { count, of: usable.length, all: count > 0 && count === usable.length };
}

export function modelsOf(status: GatewayStatus): Model[] {
  const states = new Map(status.providers.map((each) => [each.name, each]));
  return status.models.map((each) => ({
    id: each.id,
    provider: each.provider,
    upstreamModel: each.upstream_model,
    ready: each.ready,
    missing: each.missing ?? states.get(each.provider)?.missing ?? null,
    state: states.get(each.provider)?.state ?? 'unknown',
    firstTokenMs: each.first_token_ms?.p50 ?? null,
    out: outOf(each.targets),
    price: each.price ?? null,
    context: each.context ?? null,
  }));
}
