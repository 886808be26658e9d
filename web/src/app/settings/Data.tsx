import { useEffect, useRef, useState } from 'react';
import { readChat, removeChats } from '../../store/chats';
import { useStore } from '../../store/create';
import { badKey, diskKeys, dropDisk, readDisk } from '../../store/disk';
import { listStore } from '../../store/list';
import { notify } from '../../store/notices';
import { asJson, asMarkdown, importJson } from '../../store/transfer';
import { bytes, count } from '../format';
import { goTo } from '../route';
import { saveFile } from '../ui/copy';
import { Icon } from '../ui/Icon';

/** A browser gives localStorage about this many characters. */
const ROOM = 4.94 * 1024 * 1024;

export function Data({ onClose }: { onClose: () => void }) {
  const list = useStore(listStore).filter((each) => !each.deleted);
  const file = useRef<HTMLInputElement>(null);
  const cold = list.filter((each) => each.cold).length;
  const used = diskKeys().reduce((n, key) => n + key.length + (readDisk(key)?.length ?? 0), 0);

  const all = async () =>
    (await Promise.all(list.map((each) => readChat(each.id)))).filter((each) => each !== null);
  const day = new Date().toISOString().slice(0, 10);
  const exportJson = async () =>
    saveFile(`trunkline-${day}.json`, 'application/json', await asJson(await all()));
  const exportMarkdown = async () =>
    saveFile(
      `trunkline-${day}.md`,
      'text/markdown',
      (await all()).map(asMarkdown).join('\n\n---\n\n'),
    );
  const take = async (chosen: File | undefined) => {
    if (!chosen) return;
    try {
      const n = await importJson(await chosen.text());
      notify(n === 1 ? 'One conversation imported.' : `${n} conversations imported.`);
    } catch (error) {
      notify(error instanceof SyntaxError ? 'This file is not JSON.' : (error as Error).message);
    }
  };

  return (
    <>
      <p className="hint">
        Conversations are kept in this browser only. Nothing of them is stored on the gateway.
      </p>
      <div className="meter-row">
        <meter
          className="storage"
          min={0}
          max={ROOM}
          high={ROOM * 0.8}
          value={used}
          aria-label="Room used"
        />
        <span>
          {bytes(used)} of {bytes(ROOM)}
        </span>
      </div>
      <p className="hint">
        {count(list.length)} conversations
        {cold > 0 && `, the older ${count(cold)} in the browser's larger store`}.
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
          Export all as JSON
        </button>
        <button
          type="button"
          className="button"
          disabled={list.length === 0}
          onClick={() => void exportMarkdown()}
        >
          <Icon name="download" size={15} />
          As Markdown
        </button>
        <button type="button" className="button" onClick={() => file.current?.click()}>
          <Icon name="upload" size={15} />
          Import
        </button>
        <input
          ref={file}
          type="file"
          accept=".json,application/json"
          hidden
          aria-label="File to import"
          onChange={(event) => {
            void take(event.currentTarget.files?.[0]);
            event.currentTarget.value = '';
          }}
        />
      </div>
      <Damaged />
      <h3>Delete</h3>
      <button
        type="button"
        className="button danger"
        disabled={list.length === 0}
        onClick={() => {
          removeChats(list.map((each) => each.id));
          goTo(null);
          onClose();
        }}
      >
        <Icon name="trash" size={15} />
        Delete all conversations
      </button>
    </>
  );
}

/** Whether the browser may clear all this when it runs short of room. */
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
        Ask the browser never to clear them
      </button>
    </>
  );
}

/** What could not be read and was set aside. */
function Damaged() {
  const [keys, setKeys] = useState(() => diskKeys().filter((key) => key.startsWith(badKey(''))));
  if (keys.length === 0) return null;
  return (
    <>
      <h3>Set aside</h3>
      <p className="hint">
        These entries could not be read. Their raw text may still hold your words.
      </p>
      <ul className="damaged">
        {keys.map((key) => (
          <li key={key}>
            <code className="grow ellipsis">{key}</code>
            <button
              type="button"
              className="button small"
              onClick={() => saveFile('damaged.txt', 'text/plain', readDisk(key) ?? '')}
            >
              Save
            </button>
            <button
              type="button"
              className="button small danger"
              onClick={() => {
                dropDisk(key);
                setKeys((all) => all.filter((each) => each !== key));
              }}
            >
              Remove
            </button>
          </li>
        ))}
      </ul>
    </>
  );
}
