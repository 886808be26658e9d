import { isObject } from '../store/validate';
import type { GatewayStatus, Model } from './types';

/** The models of `GET v1/models`, which has names and owners only. */
export function parseModelList(body: unknown): Model[] {
  const data = isObject(body) && Array.isArray(body.data) ? body.data : [];
  return data.filter(isObject).map((row) => ({
    id: String(row.id),
    provider: typeof row.owned_by === 'string' ? row.owned_by : '',
    upstreamModel: '',
    ready: true,
    missing: null,
    state: 'unknown',
    firstTokenMs: null,
    out: { count: 0, of: 0, all: false },
    price: null,
    context: null,
    listed: true,
  }));
}

/** The models of the status, followed by those that only `v1/models` lists. */
export function mergeListed(known: Model[], listed: Model[], status: GatewayStatus): Model[] {
  if (listed.length === 0) return known;
  const names = new Set(known.map((model) => model.id));
  const states = new Map(status.providers.map((provider) => [provider.name, provider.state]));
  const more = listed.filter((model) => !names.has(model.id));
  return [
    ...known,
    ...more.map((model) => ({ ...model, state: states.get(model.provider) ?? model.state })),
  ];
}
