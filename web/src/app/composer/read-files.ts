import { t } from '../../i18n';
import { newId } from '../../store/id';
import { notify } from '../../store/notices';
import { putImage } from '../../store/storage/images';
import type { Attachment } from '../../store/types';
import { bytes } from '../format';

/** Turns files into attachments: images are scaled down, text files read. */

const MAX_IMAGE_SIDE = 2048;
const MAX_TEXT_BYTES = 512 * 1024;

/** Of a temporary conversation, images are kept in memory. */
export async function readFiles(files: Iterable<File>, temporary: boolean): Promise<Attachment[]> {
  const results: Attachment[] = [];
  for (const file of files) {
    try {
      const made = file.type.startsWith('image/') ? await image(file, temporary) : await text(file);
      results.push(made);
    } catch (error) {
      notify(error instanceof Error ? error.message : t('files.failed', { name: file.name }));
    }
  }
  return results;
}

async function text(file: File): Promise<Attachment> {
  // Some are text for a computer, which says nothing to a model.
  if (file.type === 'application/pdf' || (await file.slice(0, 5).text()) === '%PDF-') {
    throw new Error(t('files.pdf', { name: file.name }));
  }
  if (file.size > MAX_TEXT_BYTES) {
    throw new Error(
      t('files.tooLarge', {
        name: file.name,
        size: bytes(file.size),
        most: bytes(MAX_TEXT_BYTES),
      }),
    );
  }
  const content = await file.text();
  // A NUL byte or invalid UTF-8: not text.
  if (content.includes('\0') || content.includes('\ufffd')) {
    throw new Error(t('files.binary', { name: file.name }));
  }
  const mime = file.type || 'text/plain';
  return { id: newId(), kind: 'text', name: file.name, mime, bytes: file.size, text: content };
}

async function image(file: File, temporary: boolean): Promise<Attachment> {
  const blob = await downscale(file);
  const id = newId();
  try {
    await putImage(id, blob, temporary);
  } catch {
    throw new Error(t('files.noRoom'));
  }
  return {
    id,
    kind: 'image',
    name: file.name || t('files.image'),
    mime: blob.type,
    bytes: blob.size,
  };
}

const SENDABLE = new Set(['image/png', 'image/jpeg', 'image/webp', 'image/gif']);

async function downscale(file: File): Promise<Blob> {
  const bitmap = await createImageBitmap(file).catch(() => {
    throw new Error(t('files.unreadable', { name: file.name }));
  });
  const scale = Math.min(1, MAX_IMAGE_SIDE / Math.max(bitmap.width, bitmap.height));
  if (scale === 1 && SENDABLE.has(file.type)) {
    bitmap.close();
    return file;
  }
  const canvas = document.createElement('canvas');
  canvas.width = Math.max(1, Math.round(bitmap.width * scale));
  canvas.height = Math.max(1, Math.round(bitmap.height * scale));
  canvas.getContext('2d')?.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  bitmap.close();
  const type = file.type === 'image/png' ? 'image/png' : 'image/jpeg';
  return new Promise((resolve, reject) => {
    canvas.toBlob(
      (blob) =>
        blob ? resolve(blob) : reject(new Error(t('files.noResize', { name: file.name }))),
      type,
      0.9,
    );
  });
}
