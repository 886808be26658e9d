import { setModel } from '../store/actions';
import { useStore } from '../store/create-store';
import { changeSettings, settingsStore } from '../store/settings';
import { findEntry } from '../store/storage/chat-list';
import { useChat } from '../store/use-chat';
import { chatMenu } from './chat-menu';
import { newChat, toggleSidebar, toggleStatus } from './hotkeys';
import { ModelPicker } from './model/ModelPicker';
import { useModel } from './model/use-model';
import { openComparison } from './open-comparison';
import { routeStore } from './route';
import { Icon } from './ui/Icon';
import { Menu } from './ui/Menu';
import { keyName, openSettings, overlayStore } from './view';

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
        aria-label="Show conversations"
        title={`Conversations (${keyName('mod+b')})`}
        onClick={toggleSidebar}
      >
        <Icon name="sidebar" />
      </button>
      <button
        type="button"
        className="icon-button new-short"
        data-closed={!sidebar}
        aria-label="New chat"
        title={`New chat (${keyName('mod+shift+o')})`}
        onClick={newChat}
      >
        <Icon name="plus" />
      </button>
      {chat?.lanes ? (
        <span className="header-title">Compare</span>
      ) : (
        <ModelPicker
          value={model}
          onPick={pick}
          onCompare={(id) => openComparison([model, id])}
          hotkey
        />
      )}
      <span className="grow" />
      <button
        type="button"
        className="icon-button"
        aria-label="Compare models"
        title="Compare models"
        onClick={() => openComparison([model])}
      >
        <Icon name="compare" />
      </button>
      <button
        type="button"
        className="icon-button"
        aria-label="Gateway status"
        aria-pressed={status}
        title={`Gateway status (${keyName('mod+j')})`}
        onClick={toggleStatus}
      >
        <Icon name="activity" />
      </button>
      <Menu
        label="Menu"
        icon="more"
        items={() => [
          {
            label: 'Search and commands',
            icon: 'search',
            hint: keyName('mod+k'),
            run: () => overlayStore.set('palette'),
          },
          ...(routeStore.get() ? chatMenu(findEntry(routeStore.get() ?? '')) : []),
          { label: 'API reference', icon: 'book', run: () => location.assign('./docs') },
          {
            label: 'Keyboard shortcuts',
            icon: 'info',
            hint: '?',
            run: () => overlayStore.set('shortcuts'),
          },
          { label: 'Settings', icon: 'settings', run: () => openSettings() },
        ]}
      />
    </header>
  );
}
