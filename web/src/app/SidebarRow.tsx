import { memo } from 'react';
import { t } from '../i18n';
import { useStore } from '../store/create-store';
import { useIsLive } from '../store/live';
import type { IndexEntry } from '../store/types';
import { chatMenu, rename, renaming } from './chat-menu';
import { exactTime } from './format';
import { Icon } from './ui/Icon';
import { Menu } from './ui/Menu';
import { useFocusAfter } from './ui/use-focus-after';
import { drawerStore } from './view';

export const SidebarRow = memo(function SidebarRow({
  entry,
  current,
  passage,
}: {
  entry: IndexEntry;
  current: boolean;
  /** What a search found in it. */
  passage: string;
}) {
  const isRenamed = useStore(renaming) === entry.id;
  const live = useIsLive(entry.id);
  if (isRenamed) {
    return (
      <li className="list-row">
        <Rename entry={entry} />
      </li>
    );
  }
  return (
    <li className="list-row" data-current={current}>
      <a
        href={`#/c/${entry.id}`}
        aria-current={current ? 'page' : undefined}
        title={`${entry.title}\n${entry.model}, ${exactTime(entry.updated)}`}
        onClick={() => drawerStore.set(false)}
        onDoubleClick={() => renaming.set(entry.id)}
      >
        {entry.compare && <Icon name="compare" size={14} />}
        <span className="list-texts">
          <span className="list-title" dir="auto">
            {entry.title || t('app.newChat')}
          </span>
          {passage && (
            <span className="list-passage" dir="auto">
              {passage}
            </span>
          )}
        </span>
        {live && <span className="pulse" role="img" aria-label={t('list.answering')} />}
      </a>
      <Menu
        label={entry.title ? t('list.options', { title: entry.title }) : t('list.optionsUntitled')}
        icon="more"
        className="icon-button row-menu"
        items={() => [
          { label: t('list.rename'), icon: 'edit', run: () => renaming.set(entry.id) },
          ...chatMenu(entry),
        ]}
      />
    </li>
  );
});

function Rename({ entry }: { entry: IndexEntry }) {
  const link = `.list-row a[href="#/c/${CSS.escape(entry.id)}"]`;
  useFocusAfter(() => document.querySelector(link));
  return (
    <input
      className="rename"
      dir="auto"
      defaultValue={entry.title}
      aria-label={t('list.newName')}
      ref={(input: HTMLInputElement | null) => {
        if (!input || document.activeElement === input) return;
        input.focus();
        input.select();
      }}
      // Also when it is removed, after Enter or Escape.
      onBlur={(event) => {
        if (renaming.get() === entry.id) rename(entry.id, event.currentTarget.value);
      }}
      onKeyDown={(event) => {
        if (event.key === 'Enter') rename(entry.id, event.currentTarget.value);
        if (event.key === 'Escape') renaming.set(null);
      }}
    />
  );
}
