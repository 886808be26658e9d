import { gatewayStore } from '../api/gateway';
import { startComparison } from '../store/actions';
import { goTo } from './route';

export const MOST_LANES = 4;

/** Opens a comparison of these models, filled up to two with others that are ready. */
export function compareFrom(models: string[]): void {
  const ready = gatewayStore.get().models.filter((each) => each.ready);
  const lanes = [...new Set(models.filter(Boolean))];
  for (const each of ready) {
    if (lanes.length >= 2) break;
    if (!lanes.includes(each.id)) lanes.push(each.id);
  }
  // One model against itself still shows how much its answers differ.
  while (lanes.length < 2) lanes.push(lanes[0] ?? '');
  goTo(startComparison(lanes.slice(0, MOST_LANES)));
}
