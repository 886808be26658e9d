import { useEffect, useLayoutEffect, useRef, useState } from 'react';
import { t } from '../i18n';
import { useStore } from '../store/create-store';
import { searchChats } from '../store/search';
import { listStore } from '../store/storage/chat-list';
import type { IndexEntry } from '../store/types';
import { dayOf } from './format';
import { afterFrame } from './frame';
import { newChat, toggleSidebar } from './hotkeys';
import { openComparison } from './open-comparison';
import { routeStore } from './route';
import { SidebarRow } from './SidebarRow';
import { Icon } from './ui/Icon';
import { Mark } from './ui/Mark';
import { drawerStore, keyName, openSettings } from './view';

/** About one screen, drawn after the first frame; more when idle, the rest on scroll. */
const FIRST_ROWS = 30;
const MORE_ROWS = 120;

export function Sidebar() {
  const drawer = useStore(drawerStore);
  const self = useRef<HTMLElement>(null);

  useLayoutEffect(() => {
    if (!drawer) return;
    const opener = document.activeElement;
    self.current?.querySelector('button')?.focus();
    const onKey = (event: KeyboardEvent) => event.key === 'Escape' && drawerStore.set(false);
    addEventListener('keydown', onKey);
    return () => {
      removeEventListener('keydown', onKey);
      const isInside = self.current?.contains(document.activeElement);
      if (isInside && opener instanceof HTMLElement) opener.focus();
    };
  }, [drawer]);

  return (
    <>
      {drawer && (
        // biome-ignore lint/a11y/noStaticElementInteractions lint/a11y/useKeyWithClickEvents: Escape closes as well.
        <div className="drawer-back" onClick={() => drawerStore.set(false)} />
      )}
      <nav ref={self} className="sidebar" data-open={drawer} aria-label={t('list.label')}>
        <div className="sidebar-head">
          <span className="wordmark">
            <Mark />
            Trunkline
          </span>
          <button
            type="button"
            className="icon-button"
            aria-label={t('list.hide')}
            title={t('list.hideKeys', { keys: keyName('mod+b') })}
            onClick={toggleSidebar}
          >
            <Icon name="sidebar" />
          </button>
        </div>
        <div className="sidebar-actions">
          <button type="button" className="row-button" onClick={newChat}>
            <Icon name="plus" size={17} />
            <span className="grow">{t('app.newChat')}</span>
            <kbd>{keyName('mod+shift+o')}</kbd>
          </button>
          <button
            type="button"
            className="row-button"
            onClick={() => {
              drawerStore.set(false);
              openComparison();
            }}
          >
            <Icon name="compare" size={17} />
            {t('app.compare')}
          </button>
        </div>
        <Conversations />
        <div className="sidebar-foot">
          <button type="button" className="row-button" onClick={() => openSettings()}>
            <Icon name="settings" size={17} />
            {t('ui.settings')}
          </button>
          <a className="row-button" href="./docs">
            <Icon name="book" size={17} />
            {t('app.docs')}
          </a>
        </div>
      </nav>
    </>
  );
}

function Conversations() {
  const all = useStore(listStore);
  const route = useStore(routeStore);
  const [query, setQuery] = useState('');
  /** The passages found, by conversation; empty for a match in the title. */
  const [found, setFound] = useState<Map<string, string> | null>(null);
  const [rows, setRows] = useState(0);
  const shown = all.filter((entry) => !entry.deleted && (!found || found.has(entry.id)));

  useEffect(() => {
    if (!query.trim()) {
      setFound(null);
      return;
    }
    const control = new AbortController();
    const timer = setTimeout(() => {
      void searchChats(query, control.signal).then((hits) => {
        if (!control.signal.aborted) setFound(new Map(hits.map((hit) => [hit.id, hit.excerpt])));
      });
    }, 120);
    return () => {
      control.abort();
      clearTimeout(timer);
    };
  }, [query]);

  useEffect(() => {
    // The composer is drawn a frame earlier; the list does not shift it.
    const stop = afterFrame(() => setRows(FIRST_ROWS));
    const later = setTimeout(() => setRows((n) => Math.max(n, MORE_ROWS)), 300);
    return () => {
      stop();
      clearTimeout(later);
    };
  }, []);

  const onScroll = (event: { currentTarget: HTMLElement }) => {
    const { scrollTop, clientHeight, scrollHeight } = event.currentTarget;
    if (scrollTop + clientHeight > scrollHeight - 400)
      setRows((n) => Math.max(n, Math.min(shown.length, n + 200)));
  };

  return (
    <>
      <label className="search">
        <Icon name="search" size={15} />
        <input
          type="search"
          dir="auto"
          value={query}
          placeholder={t('ui.search')}
          aria-label={t('list.search')}
          onInput={(event) => setQuery(event.currentTarget.value)}
        />
      </label>
      <div className="list" onScroll={onScroll}>
        {groups(shown.slice(0, rows)).map(([day, entries]) => (
          <section key={day}>
            <h2 className="list-day">{day}</h2>
            <ul>
              {entries.map((entry) => (
                <SidebarRow
                  key={entry.id}
                  entry={entry}
                  current={entry.id === route}
                  passage={found?.get(entry.id) ?? ''}
                />
              ))}
            </ul>
          </section>
        ))}
        {shown.length === 0 && rows > 0 && (
          <p className="list-empty">{query ? t('ui.nothingFound') : t('list.empty')}</p>
        )}
      </div>
    </>
  );
}

function groups(entries: IndexEntry[]): [string, IndexEntry[]][] {
  const result = new Map<string, IndexEntry[]>();
  for (const entry of entries) {
    const day = entry.pinned ? t('list.pinned') : dayOf(entry.updated);
    const group = result.get(day);
    if (group) group.push(entry);
    else result.set(day, [entry]);
  }
  return [...result];
}
