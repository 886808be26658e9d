import type { Attachment } from '../types';
import { idbDelete, idbGet, idbPut } from './indexed-db';

/** Images of temporary conversations, which are not stored. */
const memory = new Map<string, Blob>();

/** Rejects if there is no space for it. */
export async function putImage(id: string, image: Blob, isTemporary: boolean): Promise<void> {
  if (isTemporary) memory.set(id, image);
  else await idbPut('images', id, image);
}

export async function getImage(id: string): Promise<Blob | undefined> {
  return memory.get(id) ?? (await idbGet<Blob>('images', id).catch(() => undefined));
}

/** Moves images that were attached before it was said whether the conversation is temporary. */
export function settleImages(attachments: Attachment[], isTemporary: boolean): void {
  const move = isTemporary ? toMemory : toDisk;
  // What cannot be moved stays where it is.
  for (const { id, kind } of attachments) if (kind === 'image') void move(id).catch(() => {});
}

async function toDisk(id: string): Promise<void> {
  const image = memory.get(id);
  if (!image) return;
  await idbPut('images', id, image);
  memory.delete(id);
}

async function toMemory(id: string): Promise<void> {
  if (memory.has(id)) return;
  const image = await idbGet<Blob>('images', id);
  if (!image) return;
  memory.set(id, image);
  await idbDelete('images', id);
}
