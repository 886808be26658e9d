import { t } from '../../i18n';
import { loadModule } from '../../load-module';
import { newId } from '../../store/id';
import { notify } from '../../store/notices';
import { isKeptNowhere } from '../../store/temporary';
import type { Attachment } from '../../store/types';
import { unreachable } from '../ui/lazy-part';

/** A longer pasted text becomes an attachment. */
export const LONG_PASTE = 6000;

export async function attach(chatId: string | null, files: Iterable<File>): Promise<Attachment[]> {
  try {
    const { readFiles } = await loadModule(() => import('./read-files'));
    return await readFiles(files, isKeptNowhere(chatId));
  } catch {
    notify(unreachable());
    return [];
  }
}

export function pasted(content: string): Attachment {
  return {
    id: newId(),
    kind: 'text',
    name: t('composer.pasted'),
    mime: 'text/plain',
    bytes: content.length,
    text: content,
  };
}
