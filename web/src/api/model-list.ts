import { isObject } from '../store/validate';
import { READY } from './health';
import type { Model } from './types';

/** The models of `GET v1/models`, which has names and owners only. */
export function parseModelList(body: unknown): Model[] {
  const data = isObject(body) && Array.isArray(body.data) ? body.data : [];
  return data.filter(isObject).map((row) => ({
    id: String(row.id),
    provider: typeof row.owned_by === 'string' ? row.owned_by : '',
    upstreamModel: '',
    ready: true,
    missing: null,
    health: READY,
    firstTokenMs: null,
    price: null,
    context: null,
    listed: true,
  }));
}

/** The models of the status, followed by those that only `v1/models` lists. */
export function mergeListed(known: Model[], listed: Model[]): Model[] {
  if (listed.length === 0) return known;
  const names = new Set(known.map((model) => model.id));
  return [...known, ...listed.filter((model) => !names.has(model.id))];
}
