import type { Draft } from '../../store/actions';
import { createStore } from '../../store/create-store';
import { draftKey, readItem, removeItem, writeItem } from '../../store/storage/local-storage';
import { isKeptNowhere } from '../../store/temporary';
import { isObject } from '../../store/validate';
import { command } from '../view';

/** Unsent text by conversation, or by message within one. */
const memory = new Map<string, Draft>();
/** Changes when a draft is set by something other than typing. */
export const draftReplaced = createStore(0);

const NEW = 'new';

/** The key of what is typed for a message within a conversation. */
export const draftOf = (chat: string, message: string) => `${chat}/${message}`;

export function readDraft(chat: string | null): Draft {
  const key = chat ?? NEW;
  const known = memory.get(key);
  if (known) return known;
  try {
    const value: unknown = JSON.parse(readItem(draftKey(key)) ?? 'null');
    if (isObject(value) && typeof value.text === 'string') {
      const attachments = Array.isArray(value.attachments) ? value.attachments : [];
      return { text: value.text, attachments: attachments as Draft['attachments'] };
    }
  } catch {
    // An unreadable draft is ignored.
  }
  return { text: '', attachments: [] };
}

/** Drafts that are written a little later, by key. */
const pending = new Map<string, ReturnType<typeof setTimeout>>();
if (typeof addEventListener !== 'undefined') addEventListener('pagehide', writeDrafts);

function writeDrafts(): void {
  for (const key of pending.keys()) writeDraft(key);
}

function writeDraft(key: string): void {
  clearTimeout(pending.get(key));
  pending.delete(key);
  const draft = memory.get(key);
  const temporary = isKeptNowhere(key === NEW ? null : key);
  if (!temporary && draft && (draft.text || draft.attachments.length > 0))
    writeItem(draftKey(key), JSON.stringify(draft));
  else removeItem(draftKey(key));
}

export function keepDraft(chat: string | null, draft: Draft): void {
  const key = chat ?? NEW;
  memory.set(key, draft);
  clearTimeout(pending.get(key));
  pending.set(
    key,
    setTimeout(() => writeDraft(key), 300),
  );
}

/** As `keepDraft`, for what comes later than typed: another conversation may be shown by then. */
export function putDraft(chat: string | null, draft: Draft): void {
  keepDraft(chat, draft);
  draftReplaced.update((n) => n + 1);
}

export function setDraft(chat: string | null, draft: Draft): void {
  putDraft(chat, draft);
  command('focus-composer');
}

/** `?q=` fills the field only. Sending it as well would let any link act as the user. */
export function readQueryDraft(): void {
  const query = new URLSearchParams(location.search);
  const text = query.get('q');
  if (text === null) return;
  keepDraft(null, { text, attachments: [] });
  query.delete('q');
  const rest = query.toString();
  // A reload must not restore it, and it is not for an existing conversation.
  history.replaceState(null, '', `${location.pathname}${rest && `?${rest}`}#/`);
  dispatchEvent(new HashChangeEvent('hashchange'));
}
