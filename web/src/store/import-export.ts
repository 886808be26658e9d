import { t } from '../i18n';
import { newId } from './id';
import { findEntry } from './storage/chat-list';
import { addChat } from './storage/chats';
import { idbGet, idbPut } from './storage/indexed-db';
import { laneRoot, pathOf } from './tree';
import type { Conversation, Message } from './types';
import { isConversation, isObject } from './validate';

/** Export and import of conversations. */

interface Export {
  format: 'trunkline-chats';
  v: 1;
  exported: string;
  chats: Conversation[];
  /** Images as data: URLs by attachment id. */
  images: Record<string, string>;
}

export async function asJson(chats: Conversation[]): Promise<string> {
  const images: Record<string, string> = {};
  for (const chat of chats) {
    for (const id of imageIds(chat)) {
      const blob = await idbGet<Blob>('images', id).catch(() => undefined);
      if (blob) images[id] = await toDataUrl(blob);
    }
  }
  const exported = new Date().toISOString();
  const all: Export = { format: 'trunkline-chats', v: 1, exported, chats, images };
  return JSON.stringify(all, null, 2);
}

export function asMarkdown(chat: Conversation): string {
  const lines = [`# ${chat.title || t('chat.conversation')}`, ''];
  if (chat.params.system) lines.push(`## ${t('export.system')}`, '', chat.params.system, '');
  if (!chat.lanes) {
    lines.push(...pathOf(chat).flatMap(section));
    return lines.join('\n');
  }
  for (const lane of chat.lanes) {
    lines.push(`# ${lane.model}`, '', ...pathOf(chat, laneRoot(lane.id)).flatMap(section));
  }
  return lines.join('\n');
}

function section(message: Message): string[] {
  const who = message.role === 'user' ? t('export.you') : (message.model ?? t('export.assistant'));
  const files = (message.attachments ?? []).map(
    (attachment) => `*${t('export.attached', { name: attachment.name })}*\n`,
  );
  const results = (message.toolResults ?? []).map(({ name, content }) => `*${name}*: ${content}\n`);
  return [`## ${who}`, '', ...files, ...results, message.text, ''];
}

/** Returns the number of imported conversations. One that exists already is imported as a copy. */
export async function importJson(raw: string): Promise<number> {
  const value: unknown = JSON.parse(raw);
  const list = isObject(value) && Array.isArray(value.chats) ? value.chats : [value];
  const chats = list.filter(isConversation);
  if (chats.length === 0) throw new Error(t('data.noChats'));
  const images = isObject(value) && isObject(value.images) ? value.images : {};
  for (const [id, url] of Object.entries(images)) {
    const blob = typeof url === 'string' ? fromDataUrl(url) : undefined;
    if (blob) await idbPut('images', id, blob);
  }
  for (const chat of chats) {
    const closed = Object.entries(chat.messages).map(([id, message]) => [
      id,
      message.state === 'streaming' ? { ...message, state: 'stopped' } : message,
    ]);
    const messages = Object.fromEntries(closed) as Conversation['messages'];
    addChat({ ...chat, id: findEntry(chat.id) ? newId() : chat.id, messages });
  }
  return chats.length;
}

export function fileName(title: string): string {
  const plain = title.replace(/[^\p{L}\p{N}]+/gu, '-').replace(/^-|-$/g, '');
  return plain.slice(0, 60).toLowerCase() || 'conversation';
}

function imageIds(chat: Conversation): string[] {
  return Object.values(chat.messages)
    .flatMap((message) => message.attachments ?? [])
    .filter((attachment) => attachment.kind === 'image')
    .map((attachment) => attachment.id);
}

async function toDataUrl(blob: Blob): Promise<string> {
  const bytes = new Uint8Array(await blob.arrayBuffer());
  let text = '';
  for (let i = 0; i < bytes.length; i += 8192) {
    text += String.fromCharCode(...bytes.subarray(i, i + 8192));
  }
  return `data:${blob.type};base64,${btoa(text)}`;
}

// `fetch` of a data: URL would need a wider `connect-src`.
function fromDataUrl(url: string): Blob | undefined {
  const match = /^data:(image\/[\w.+-]+);base64,([A-Za-z0-9+/=]+)$/.exec(url);
  if (!match?.[2] || match[1] === 'image/svg+xml') return undefined;
  const bytes = Uint8Array.from(atob(match[2]), (char) => char.charCodeAt(0));
  return new Blob([bytes], { type: match[1] ?? '' });
}
