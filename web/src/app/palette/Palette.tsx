import './palette.css';
import { useEffect, useId, useMemo, useRef, useState } from 'react';
import { gatewayStore } from '../../api/gateway';
import { t } from '../../i18n';
import { setModel } from '../../store/actions';
import { useStore } from '../../store/create-store';
import { type Hit, searchChats } from '../../store/search';
import { changeSettings } from '../../store/settings';
import { listStore } from '../../store/storage/chat-list';
import { shortcuts } from '../hotkeys';
import { openComparison } from '../open-comparison';
import { goTo, routeStore } from '../route';
import { Dialog } from '../ui/Dialog';
import { Icon, type IconName } from '../ui/Icon';
import { isTouch, keyName, openSettings } from '../view';

interface Entry {
  id: string;
  group: string;
  label: string;
  hint?: string;
  /** The hint is a shortcut. */
  keyed?: boolean;
  icon: IconName;
  run: () => void;
}

/** Search over conversations with their text, models and commands. */
export function Palette({ onClose }: { onClose: () => void }) {
  const [query, setQuery] = useState('');
  const [hits, setHits] = useState<Hit[]>([]);
  const [active, setActive] = useState(0);
  const { models } = useStore(gatewayStore);
  const chats = useStore(listStore);
  const base = useId();
  const list = useRef<HTMLDivElement>(null);

  useEffect(() => {
    const control = new AbortController();
    const timer = setTimeout(async () => {
      const found = query.trim() ? await searchChats(query, control.signal) : [];
      if (!control.signal.aborted) setHits(found);
    }, 80);
    return () => {
      control.abort();
      clearTimeout(timer);
    };
  }, [query]);

  const entries = useMemo(() => {
    const recent = chats.filter((chat) => !chat.deleted).slice(0, 5);
    const found = query.trim() ? hits : recent.map(({ id, title }) => ({ id, title, excerpt: '' }));
    const words = query.toLowerCase().split(/\s+/).filter(Boolean);
    const others = [...commands(), ...modelEntries(models)].filter((entry) =>
      words.every((word) => `${entry.label} ${entry.group}`.toLowerCase().includes(word)),
    );
    const shown = query.trim() ? others : others.filter((entry) => entry.group !== t('ui.models'));
    const chatEntries = found.slice(0, 20).map(chatEntry);
    return query.trim() ? [...shown.slice(0, 12), ...chatEntries] : [...chatEntries, ...shown];
  }, [query, hits, models, chats]);
  const at = Math.min(active, entries.length - 1);

  // Keeps the selection visible.
  useEffect(() => {
    list.current?.querySelector('[data-active=true]')?.scrollIntoView({ block: 'nearest' });
  }, [at]);

  const run = (entry: Entry | undefined) => {
    if (!entry) return;
    onClose();
    // After the dialog has closed, so that the action may move the focus.
    setTimeout(entry.run);
  };
  const onKeyDown = (event: { key: string; preventDefault(): void }) => {
    if (event.key === 'Enter') run(entries[at]);
    else if (event.key === 'ArrowDown') setActive(Math.min(entries.length - 1, at + 1));
    else if (event.key === 'ArrowUp') setActive(Math.max(0, at - 1));
    else return;
    event.preventDefault();
  };

  return (
    <Dialog title={t('app.palette')} onClose={onClose} className="palette" bare>
      <label className="search big">
        <Icon name="search" />
        <input
          role="combobox"
          dir="auto"
          aria-label={t('palette.search')}
          aria-expanded="true"
          aria-controls={`${base}l`}
          aria-activedescendant={entries[at] ? `${base}${at}` : undefined}
          autoComplete="off"
          spellCheck={false}
          placeholder={isTouch() ? t('ui.search') : t('palette.search')}
          value={query}
          onInput={(event) => {
            setQuery(event.currentTarget.value);
            setActive(0);
          }}
          onKeyDown={onKeyDown}
        />
        <kbd>Esc</kbd>
      </label>
      <div
        ref={list}
        className="palette-list"
        role="listbox"
        id={`${base}l`}
        aria-label={t('palette.found')}
        tabIndex={-1}
      >
        {entries.map((entry, i) => (
          <div key={entry.id} role="presentation">
            {entry.group !== entries[i - 1]?.group && (
              <div className="palette-group" role="presentation">
                {entry.group}
              </div>
            )}
            {/* biome-ignore lint/a11y/useKeyWithClickEvents lint/a11y/useFocusableInteractive: the field above keeps the focus and takes the keys */}
            <div
              id={`${base}${i}`}
              role="option"
              className="palette-row"
              aria-selected={i === at}
              data-active={i === at}
              onPointerMove={() => setActive(i)}
              onClick={() => run(entry)}
            >
              <Icon name={entry.icon} size={16} />
              <span className="grow ellipsis" dir="auto">
                {entry.label}
              </span>
              {entry.hint && (
                <span className={entry.keyed ? 'hint keys' : 'hint ellipsis'} dir="auto">
                  {entry.hint}
                </span>
              )}
            </div>
          </div>
        ))}
      </div>
      {entries.length === 0 && <p className="list-empty">{t('ui.nothingFound')}</p>}
    </Dialog>
  );
}

function chatEntry(hit: Hit): Entry {
  const { id, title, excerpt } = hit;
  return {
    id: `c${id}`,
    group: t('list.label'),
    label: title || t('app.newChat'),
    ...(excerpt && { hint: excerpt }),
    icon: 'chat',
    run: () => goTo(id),
  };
}

function modelEntries(models: { id: string; provider: string; ready: boolean }[]): Entry[] {
  return models
    .filter((model) => model.ready)
    .map((model) => ({
      id: `m${model.id}`,
      group: t('ui.models'),
      label: t('palette.use', { model: model.id }),
      hint: model.provider,
      icon: 'plug',
      run: () => {
        const chat = routeStore.get();
        if (chat) setModel(chat, model.id);
        changeSettings({ model: model.id });
      },
    }));
}

function commands(): Entry[] {
  const own: Entry[] = shortcuts
    .filter((shortcut) => shortcut.keys !== 'mod+k')
    .map((shortcut) => ({
      id: shortcut.keys,
      group: t('palette.commands'),
      label: shortcut.label(),
      hint: keyName(shortcut.keys.replace('arrowup', '↑').replace('arrowdown', '↓')),
      keyed: true,
      icon: 'right',
      run: shortcut.run,
    }));
  const more: [string, IconName, () => void][] = [
    [t('app.compare'), 'compare', () => openComparison()],
    [t('ui.settings'), 'settings', () => openSettings()],
    [t('palette.presets'), 'sliders', () => openSettings('models')],
    [t('palette.exchange'), 'download', () => openSettings('data')],
    [t('app.docs'), 'book', () => location.assign('./docs')],
    [t('palette.light'), 'settings', () => changeSettings({ theme: 'light' })],
    [t('palette.dark'), 'settings', () => changeSettings({ theme: 'dark' })],
    [t('palette.system'), 'settings', () => changeSettings({ theme: 'system' })],
  ];
  const rest = more.map(
    ([label, icon, run]): Entry => ({ id: label, group: t('palette.commands'), label, icon, run }),
  );
  return [...own, ...rest];
}
