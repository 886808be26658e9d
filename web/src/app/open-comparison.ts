import { startComparison } from '../store/actions';
import { fillLanes, modelFor } from '../store/model-choice';
import { chatStore } from '../store/storage/chats';
import { goTo, routeStore } from './route';

export const MAX_LANES = 4;

/**
 * Opens a comparison of these models, by default that of the visible conversation, filled up to
 * two with other ready models.
 */
export function openComparison(models = [visibleModel()]): void {
  const lanes = [...new Set(models.filter(Boolean))].slice(0, MAX_LANES);
  while (lanes.length < 2) lanes.push('');
  goTo(startComparison(fillLanes(lanes)));
}

function visibleModel(): string {
  const id = routeStore.get();
  return modelFor(id ? chatStore(id).get() : null);
}
