import { isObject } from '../store/check';
import type { GatewayStatus, Model } from './types';

/** The models of `GET v1/models`: nothing is known of them but their names. */
export function listedIn(body: unknown): Model[] {
  const data = isObject(body) && Array.isArray(body.data) ? body.data : [];
  return data.filter(isObject).map((each) => ({
    id: String(each.id),
    provider: typeof each.owned_by === 'string' ? each.owned_by : '',
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

/** The models of the status, and behind them those that only the list names. */
export function withListed(known: Model[], listed: Model[], status: GatewayStatus): Model[] {
  if (listed.length === 0) return known;
  const names = new Set(known.map((each) => each.id));
  const states = new Map(status.providers.map((each) => [each.name, each.state]));
  const more = listed.filter((each) => !names.has(each.id));
  return [
    ...known,
    ...more.map((each) => ({ ...each, state: states.get(each.provider) ?? each.state })),
  ];
}
