import { useEffect, useRef, useState } from 'react';
import { t } from '../../i18n';
import { useStore } from '../../store/create-store';
import { asJson, asMarkdown, importJson } from '../../store/import-export';
import { notify } from '../../store/notices';
import { listStore } from '../../store/storage/chat-list';
import { readChat, removeChats } from '../../store/storage/chats';
import { badKey, itemKeys, readItem, removeItem } from '../../store/storage/local-storage';
import { bytes } from '../format';
import { goTo } from '../route';
import { saveFile } from '../ui/copy';
import { Icon } from '../ui/Icon';

/** The usual quota of localStorage, in characters. */
const LOCAL_STORAGE_CHARS = 4.94 * 1024 * 1024;

export function Data({ onClose }: { onClose: () => void }) {
  const list = useStore(listStore).filter((entry) => !entry.deleted);
  const file = useRef<HTMLInputElement>(null);
  const archived = list.filter((entry) => entry.cold).length;
  const used = itemKeys().reduce((n, key) => n + key.length + (readItem(key)?.length ?? 0), 0);

  const all = async () =>
    (await Promise.all(list.map((chat) => readChat(chat.id)))).filter((chat) => chat !== null);
  const day = new Date().toISOString().slice(0, 10);
  const exportJson = async () =>
    saveFile(`trunkline-${day}.json`, 'application/json', await asJson(await all()));
  const exportMarkdown = async () =>
    saveFile(
      `trunkline-${day}.md`,
      'text/markdown',
      (await all()).map(asMarkdown).join('\n\n---\n\n'),
    );
  const importFile = async (chosen: File | undefined) => {
    if (!chosen) return;
    try {
      const n = await importJson(await chosen.text());
      notify(t('data.imported', { n }));
    } catch (error) {
      notify(error instanceof SyntaxError ? t('data.notJson') : (error as Error).message);
    }
  };

  return (
    <>
      <p className="hint">{t('data.hint')}</p>
      <div className="meter-row">
        <meter
          className="storage"
          min={0}
          max={LOCAL_STORAGE_CHARS}
          high={LOCAL_STORAGE_CHARS * 0.8}
          value={used}
          aria-label={t('data.used')}
        />
        <span>{t('data.usedOf', { used: bytes(used), all: bytes(LOCAL_STORAGE_CHARS) })}</span>
      </div>
      <p className="hint">
        {archived > 0
          ? t('data.countArchived', { n: list.length, archived })
          : t('data.count', { n: list.length })}
        <Persist />
      </p>
      <div className="button-row">
        <button
          type="button"
          className="button"
          disabled={list.length === 0}
          onClick={() => void exportJson()}
        >
          <Icon name="download" size={15} />
          {t('data.exportJson')}
        </button>
        <button
          type="button"
          className="button"
          disabled={list.length === 0}
          onClick={() => void exportMarkdown()}
        >
          <Icon name="download" size={15} />
          {t('data.exportMarkdown')}
        </button>
        <button type="button" className="button" onClick={() => file.current?.click()}>
          <Icon name="upload" size={15} />
          {t('data.import')}
        </button>
        <input
          ref={file}
          type="file"
          accept=".json,application/json"
          hidden
          aria-label={t('data.file')}
          onChange={(event) => {
            void importFile(event.currentTarget.files?.[0]);
            event.currentTarget.value = '';
          }}
        />
      </div>
      <Damaged />
      <h3>{t('ui.delete')}</h3>
      <button
        type="button"
        className="button danger"
        disabled={list.length === 0}
        onClick={() => {
          removeChats(list.map((entry) => entry.id));
          goTo(null);
          onClose();
        }}
      >
        <Icon name="trash" size={15} />
        {t('data.deleteAll')}
      </button>
    </>
  );
}

/** Whether the browser may evict the data when storage is low. */
function Persist() {
  const [kept, setKept] = useState<boolean | undefined>(undefined);
  useEffect(() => {
    void navigator.storage?.persisted?.().then(setKept);
  }, []);
  if (kept !== false) return null;
  return (
    <>
      {' '}
      <button
        type="button"
        className="link"
        onClick={() => void navigator.storage.persist().then(setKept)}
      >
        {t('data.persist')}
      </button>
    </>
  );
}

/** Quarantined entries. */
function Damaged() {
  const [keys, setKeys] = useState(() => itemKeys().filter((key) => key.startsWith(badKey(''))));
  if (keys.length === 0) return null;
  return (
    <>
      <h3>{t('data.damaged')}</h3>
      <p className="hint">{t('data.damagedHint')}</p>
      <ul className="damaged">
        {keys.map((key) => (
          <li key={key}>
            <code className="grow ellipsis">{key}</code>
            <button
              type="button"
              className="button small"
              onClick={() => saveFile('damaged.txt', 'text/plain', readItem(key) ?? '')}
            >
              {t('ui.save')}
            </button>
            <button
              type="button"
              className="button small danger"
              onClick={() => {
                removeItem(key);
                setKeys((all) => all.filter((name) => name !== key));
              }}
            >
              {t('ui.remove')}
            </button>
          </li>
        ))}
      </ul>
    </>
  );
}
