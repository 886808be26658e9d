import { gatewayStore } from '../../api/gateway';
import type { Model } from '../../api/types';
import { useStore } from '../../store/create-store';
import { modelFor } from '../../store/model-choice';
import { settingsStore } from '../../store/settings';
import { useChat } from '../../store/use-chat';

export function useModel(chatId: string | null): string {
  const chat = useChat(chatId);
  useStore(gatewayStore);
  useStore(settingsStore);
  return modelFor(chat);
}

export interface Group {
  provider: string;
  models: Model[];
}

/** Groups with a ready model first. */
export function groupByProvider(models: Model[], query: string): Group[] {
  const words = query.toLowerCase().split(/\s+/).filter(Boolean);
  const groups = new Map<string, Model[]>();
  for (const model of models) {
    const text = `${model.id} ${model.provider} ${model.upstreamModel}`.toLowerCase();
    if (!words.every((word) => text.includes(word))) continue;
    const group = groups.get(model.provider);
    if (group) group.push(model);
    else groups.set(model.provider, [model]);
  }
  const all = [...groups].map(([provider, list]) => ({
    provider,
    models: list.sort((a, b) => Number(b.ready) - Number(a.ready)),
  }));
  return all.sort((a, b) => Number(hasReady(b)) - Number(hasReady(a)));
}

/** All configured models, and discovered ones up to `most` in total. */
export function limitRows(groups: Group[], most: number): Group[] {
  let room = most - groups.flatMap((group) => group.models.filter((model) => !model.listed)).length;
  return groups.flatMap((group) => {
    const models = group.models.filter((model) => !model.listed || room-- > 0);
    return models.length > 0 ? [{ ...group, models }] : [];
  });
}

const hasReady = (group: Group) => group.models.some((model) => model.ready);
