import { gatewayStore } from '../api/gateway';
import { startComparison } from '../store/actions';
import { goTo } from './route';

export const MAX_LANES = 4;

/** Opens a comparison of these models, filled up to two with other ready models. */
export function openComparison(models: string[]): void {
  const ready = gatewayStore.get().models.filter((model) => model.ready);
  const lanes = [...new Set(models.filter(Boolean))];
  for (const model of ready) {
    if (lanes.length >= 2) break;
    if (!lanes.includes(model.id)) lanes.push(model.id);
  }
  // The same model twice still shows how much its answers vary.
  while (lanes.length < 2) lanes.push(lanes[0] ?? '');
  goTo(startComparison(lanes.slice(0, MAX_LANES)));
}
