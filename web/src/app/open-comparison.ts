import { gatewayStore } from '../api/gateway';
import { startComparison } from '../store/actions';
import { modelFor, readyModels } from '../store/model-choice';
import { chatStore } from '../store/storage/chats';
import { goTo, routeStore } from './route';

export const MAX_LANES = 4;

/**
 * Opens a comparison of these models, by default that of the visible conversation, filled up to
 * two with other ready models.
 */
export function openComparison(models = [visibleModel()]): void {
  const ready = readyModels(gatewayStore.get().models);
  const lanes = [...new Set(models.filter(Boolean))];
  for (const model of ready) {
    if (lanes.length >= 2) break;
    if (!lanes.includes(model.id)) lanes.push(model.id);
  }
  // The same model twice still shows how much its answers vary.
  while (lanes.length < 2) lanes.push(lanes[0] ?? '');
  goTo(startComparison(lanes.slice(0, MAX_LANES)));
}

function visibleModel(): string {
  const id = routeStore.get();
  return modelFor(id ? chatStore(id).get() : null);
}
