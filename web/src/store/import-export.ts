import { getBlob, putBlob } from './blobs';
import { addChat } from './chats';
import { isConversation, isObject } from './check';
import { newId } from './id';
import { findEntry } from './list';
import { laneRoot, pathOf } from './tree';
import type { Conversation, Message } from './types';

/** Conversations out of this browser and back in. */

interface Export {
  format: 'trunkline-chats';
  v: 1;
  exported: string;
  chats: Conversation[];
  /** Images as data addresses, by their attachment's id. */
  images: Record<string, string>;
}

export async function asJson(chats: Conversation[]): Promise<string> {
  const images: Record<string, string> = {};
  for (const chat of chats) {
    for (const id of imageIds(chat)) {
      const blob = await getBlob<Blob>('images', id).catch(() => undefined);
      if (blob) images[id] = await toDataUrl(blob);
    }
  }
  const exported = new Date().toISOString();
  const all: Export = { format: 'trunkline-chats', v: 1, exported, chats, images };
  return JSON.stringify(all, null, 2);
}

export function asMarkdown(chat: Conversation): string {
  const lines = [`# ${chat.title || 'Conversation'}`, ''];
  if (chat.params.system) lines.push('## System', '', chat.params.system, '');
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
  const who = message.role === 'user' ? 'You' : (message.model ?? 'Assistant');
  const files = (message.attachments ?? []).map((each) => `*Attached: ${each.name}*\n`);
  return [`## ${who}`, '', ...files, message.text, ''];
}

/** Takes conversations in; says how many. One that is there already comes in as a copy. */
export async function importJson(raw: string): Promise<number> {
  const value: unknown = JSON.parse(raw);
  const list = isObject(value) && Array.isArray(value.chats) ? value.chats : [value];
  const chats = list.filter(isConversation);
  if (chats.length === 0) throw new Error('There is no conversation of Trunkline in this file.');
  const images = isObject(value) && isObject(value.images) ? value.images : {};
  for (const [id, url] of Object.entries(images)) {
    const blob = typeof url === 'string' ? fromDataUrl(url) : undefined;
    if (blob) await putBlob('images', id, blob);
  }
  for (const chat of chats) {
    const settled = Object.entries(chat.messages).map(([id, each]) => [
      id,
      each.state === 'streaming' ? { ...each, state: 'stopped' } : each,
    ]);
    const messages = Object.fromEntries(settled) as Conversation['messages'];
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
    .flatMap((each) => each.attachments ?? [])
    .filter((each) => each.kind === 'image')
    .map((each) => each.id);
}

async function toDataUrl(blob: Blob): Promise<string> {
  const bytes = new Uint8Array(await blob.arrayBuffer());
  let text = '';
  for (let i = 0; i < bytes.length; i += 8192) {
    text += String.fromCharCode(...bytes.subarray(i, i + 8192));
  }
  return `data:${blob.type};base64,${btoa(text)}`;
}

// `fetch` of a data address would need a wider policy for connections.
function fromDataUrl(url: string): Blob | undefined {
  const match = /^data:(image\/[\w.+-]+);base64,([A-Za-z0-9+/=]+)$/.exec(url);
  if (!match?.[2] || match[1] === 'image/svg+xml') return undefined;
  const bytes = Uint8Array.from(atob(match[2]), (each) => each.charCodeAt(0));
  return new Blob([bytes], { type: match[1] ?? '' });
}
