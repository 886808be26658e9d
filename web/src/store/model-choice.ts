import { gatewayStore, refreshGateway } from '../api/gateway';
import type { Model } from '../api/types';
import { settingsStore } from './settings';
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

/** As `modelFor`, for a message that was sent before the models are known. */
export async function awaitModel(chat: Conversation): Promise<string> {
  await refreshGateway();
  return modelFor(chat);
}
