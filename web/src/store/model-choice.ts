import { gatewayStore, refreshGateway } from '../api/gateway';
import { settingsStore } from './settings';
import type { Conversation } from './types';

/** The model of the next message; empty while none is known. */
export function modelFor(chat: Conversation | null | undefined): string {
  const { models } = gatewayStore.get();
  if (chat?.model) return chat.model;
  const wanted = settingsStore.get().model;
  if (models.some((model) => model.id === wanted && model.ready)) return wanted;
  return models.find((model) => model.ready)?.id ?? wanted;
}

/** As `modelFor`, for a message that was sent before the models are known. */
export async function awaitModel(chat: Conversation): Promise<string> {
  await refreshGateway();
  return modelFor(chat);
}
