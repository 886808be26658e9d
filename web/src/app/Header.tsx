import { t } from '../i18n';
import { setModel } from '../store/actions';
import { useStore } from '../store/create-store';
import { changeSettings, settingsStore } from '../store/settings';
import { findEntry } from '../store/storage/chat-list';
import { isTemporary, nextIsTemporary } from '../store/temporary';
import { useChat } from '../store/use-chat';
import { chatMenu } from './chat-menu';
import { readDraft, setDraft } from './composer/draft';
import { newChat, toggleSidebar, toggleStatus } from './hotkeys';
import { ModelPicker } from './model/ModelPicker';
import { useModel } from './model/use-model';
import { openComparison } from './open-comparison';
import { routeStore } from './route';
import { Icon } from './ui/Icon';
import { Menu } from './ui/Menu';
import { isTouch, keyName, openSettings, overlayStore } from './view';

function TemporarySwitch() {
  const on = useStore(nextIsTemporary);
  return (
    <button
      type="button"
      className="icon-button"
      aria-label={t('header.temporary')}
      aria-pressed={on}
      title={t('header.temporaryTitle')}
      onClick={() => {
        nextIsTemporary.set(!on);
        // What is typed already is stored, or no longer.
        setDraft(null, readDraft(null));
      }}
    >
      <Icon name="temporary" />
    </button>
  );
}

export function Header({ chatId }: { chatId: string | null }) {
  const { sidebar, status } = useStore(settingsStore);
  const model = useModel(chatId);
  const chat = useChat(chatId);
  const pick = (id: string) => {
    if (chatId) setModel(chatId, id);
    changeSettings({ model: id });
  };
  return (
    <header className="header">
      <button
        type="button"
        className="icon-button side-toggle"
        data-closed={!sidebar}
        aria-label={t('header.show')}
        title={t('header.conversationsKeys', { keys: keyName('mod+b') })}
        onClick={toggleSidebar}
      >
        <Icon name="sidebar" />
      </button>
      <button
        type="button"
        className="icon-button new-short"
        data-closed={!sidebar}
        aria-label={t('app.newChat')}
        title={t('app.newChatKeys', { keys: keyName('mod+shift+o') })}
        onClick={newChat}
      >
        <Icon name="plus" />
      </button>
      {chat?.lanes ? (
        <span className="header-title">{t('header.compare')}</span>
      ) : (
        <ModelPicker
          value={model}
          onPick={pick}
          onCompare={(id) => openComparison([model, id])}
          hotkey
        />
      )}
      {chatId && isTemporary(chatId) && <span className="hint">{t('header.isTemporary')}</span>}
      <span className="grow" />
      {chatId === null && <TemporarySwitch />}
      <button
        type="button"
        className="icon-button"
        aria-label={t('app.compare')}
        title={t('app.compare')}
        onClick={() => openComparison([model])}
      >
        <Icon name="compare" />
      </button>
      <button
        type="button"
        className="icon-button"
        aria-label={t('app.status')}
        aria-pressed={status}
        title={t('app.statusKeys', { keys: keyName('mod+j') })}
        onClick={toggleStatus}
      >
        <Icon name="activity" />
      </button>
      <Menu
        label={t('ui.menu')}
        icon="more"
        items={() => [
          {
            label: t('app.palette'),
            icon: 'search',
            hint: keyName('mod+k'),
            run: () => overlayStore.set('palette'),
          },
          ...(routeStore.get() ? chatMenu(findEntry(routeStore.get() ?? '')) : []),
          { label: t('app.docs'), icon: 'book', run: () => location.assign('./docs') },
          isTouch()
            ? null
            : {
                label: t('app.shortcuts'),
                icon: 'info',
                hint: '?',
                run: () => overlayStore.set('shortcuts'),
              },
          { label: t('ui.settings'), icon: 'settings', run: () => openSettings() },
        ]}
      />
    </header>
  );
}
