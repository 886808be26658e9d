import type { Draft } from '../../store/actions';
import { isObject } from '../../store/check';
import { createStore } from '../../store/create';
import { draftKey, dropDisk, readDisk, writeDisk } from '../../store/disk';
import { command } from '../view';

/** What has been typed and not yet sent, kept for each conversation. */
const memory = new Map<string, Draft>();
/** Changes when a draft is replaced by something other than typing. */
export const draftSet = createStore(0);

const NEW = 'new';

export function readDraft(chat: string | null): Draft {
  const key = chat ?? NEW;
  const known = memory.get(key);
  if (known) return known;
  try {
    const value: unknown = JSON.parse(readDisk(draftKey(key)) ?? 'null');
    if (isObject(value) && typeof value.text === 'string') {
      const attachments = Array.isArray(value.attachments) ? value.attachments : [];
      return { text: value.text, attachments: attachments as Draft['attachments'] };
    }
  } catch {
    // A draft that cannot be read is no reason to stop; the field stays empty.
  }
  return { text: '', attachments: [] };
}

const timers = new Map<string, ReturnType<typeof setTimeout>>();

export function keepDraft(chat: string | null, draft: Draft): void {
  const key = chat ?? NEW;
  memory.set(key, draft);
  clearTimeout(timers.get(key));
  const write = () => {
    if (draft.text || draft.attachments.length > 0) writeDisk(draftKey(key), JSON.stringify(draft));
    else dropDisk(draftKey(key));
  };
  timers.set(key, setTimeout(write, 300));
}

export function setDraft(chat: string | null, draft: Draft): void {
  keepDraft(chat, draft);
  draftSet.update((n) => n + 1);
  command('focus-composer');
}

/**
 * `?q=` fills the field and nothing more. Sending it as well would let any link
 * speak in the reader's name.
 */
export function takeQuery(): void {
  const query = new URLSearchParams(location.search);
  const text = query.get('q');
  if (text === null) return;
  keepDraft(null, { text, attachments: [] });
  query.delete('q');
  const rest = query.toString();
  // A reload must not bring it back, and an old conversation is not what it is for.
  history.replaceState(null, '', `${location.pathname}${rest && `?${rest}`}#/`);
  dispatchEvent(new HashChangeEvent('hashchange'));
}
