import { gatewayStore, refreshGateway } from '../api/gateway';
import type { Model } from '../api/types';
import { settingsStore } from './settings';
import { laneRoot } from './tree';
import type { Conversation } from './types';

/** The model of the next message; empty while none is known. */
export function modelFor(chat: Conversation | null | undefined): string {
  const { models } = gatewayStore.get();
  if (chat?.model) return chat.model;
  const wanted = settingsStore.get().model;
  if (models.some((model) => model.id === wanted && model.ready)) return wanted;
  return readyModels(models)[0]?.id ?? wanted;
}

/** The models that can be asked, those in good health first. */
export function readyModels(models: Model[]): Model[] {
  const rank = ({ health }: Model) => ['ok', 'warn', 'bad'].indexOf(health.tone);
  return models.filter((model) => model.ready).sort((a, b) => rank(a) - rank(b));
}

/**
 * As `modelFor`, for a message that was sent before the models are known; `root` is where its path
 * begins.
 */
export async function awaitModel(chat: Conversation, root = ''): Promise<string> {
  await refreshGateway();
  const lanes = chat.lanes ?? [];
  const at = lanes.findIndex(({ id }) => laneRoot(id) === root);
  return fillLanes(lanes.map(({ model }) => model))[at] || modelFor(chat);
}

/** Gives each lane without a model a ready one, once the models are known. */
export function fillLanes(lanes: string[]): string[] {
  const { models } = gatewayStore.get();
  if (models.length === 0) return lanes;
  const ready = readyModels(models).map((model) => model.id);
  const unused = ready.filter((id) => !lanes.includes(id));
  // The same model twice still shows how much its answers vary.
  const again = lanes.find(Boolean) ?? ready[0] ?? '';
  return lanes.map((model) => model || (unused.shift() ?? again));
}
