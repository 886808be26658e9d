import { useEffect } from 'react';
import { startGateway } from '../api/gateway';
import { t } from '../i18n';
import { loadModule } from '../load-module';
import { loadMarkdown } from '../markdown';
import { COMPARISON } from '../store/actions';
import { useStore } from '../store/create-store';
import { startStore } from '../store/lifecycle';
import { changeSettings, settingsStore } from '../store/settings';
import { useChat } from '../store/use-chat';
import { Banners } from './Banners';
import { ChatPage } from './chat/ChatPage';
import { DropZone } from './composer/DropZone';
import { readQueryDraft } from './composer/draft';
import { Header } from './Header';
import { startHotkeys } from './hotkeys';
import { offerInstallation } from './install';
import { Announcer, Notices } from './Notices';
import { openComparison } from './open-comparison';
import { routeStore, startRoute } from './route';
import { Sidebar } from './Sidebar';
import { lazyPart } from './ui/lazy-part';
import { isNarrow, overlayStore } from './view';

// Not needed by most visits, so not part of the first load.
const StatusPanel = lazyPart(
  () => loadModule(() => import('../status')).then((m) => m.StatusPanel),
  {
    before: () => <p className="loading">{t('app.loadingStatus')}</p>,
  },
);
const Settings = lazyPart(() =>
  loadModule(() => import('./settings/Settings')).then((m) => m.Settings),
);
const Palette = lazyPart(() =>
  loadModule(() => import('./palette/Palette')).then((m) => m.Palette),
);
const Shortcuts = lazyPart(() =>
  loadModule(() => import('./palette/Shortcuts')).then((m) => m.Shortcuts),
);
const Compare = lazyPart(
  () => loadModule(() => import('./compare/Compare')).then((m) => m.Compare),
  {
    before: () => <main id="main" tabIndex={-1} className="chat" />,
  },
);

export function start(): void {
  startStore();
  startRoute();
  // Immediately if the page opens on a conversation.
  if (routeStore.get()) void loadMarkdown().catch(() => {});
  readQueryDraft();
  startGateway();
  startHotkeys();
  offerInstallation();
  // On a phone the panel covers the page: open it on request only.
  if (settingsStore.get().status && isNarrow()) changeSettings({ status: false });
}

export function App() {
  const id = useStore(routeStore);
  const { sidebar, status } = useStore(settingsStore);
  return (
    <div className="app" data-sidebar={sidebar} data-status={status}>
      {/* biome-ignore lint/a11y/useValidAnchor: it leads to a place in the page, though not by its hash */}
      <a className="skip" href="#main" onClick={skip}>
        {t('app.skip')}
      </a>
      <Sidebar />
      <div className="main">
        <Header chatId={id} />
        <Banners />
        <Page id={id} />
      </div>
      {status && (
        <aside className="status-side" aria-label={t('app.status')}>
          <StatusPanel />
        </aside>
      )}
      <Overlays />
      <DropZone />
      <Notices />
      <Announcer />
    </div>
  );
}

function Page({ id }: { id: string | null }) {
  const chat = useChat(id);
  useEffect(() => {
    document.title = chat?.title ? `${chat.title} · Trunkline` : 'Trunkline';
  }, [chat?.title]);
  const lost = chat === null && id?.startsWith(COMPARISON);
  useEffect(() => {
    if (lost) openComparison();
  }, [lost]);
  if (chat?.lanes) {
    return <Compare chat={chat} />;
  }
  return <ChatPage id={id} chat={chat} />;
}

function skip(event: { preventDefault(): void }): void {
  // The hash is the route: it must stay as it is.
  event.preventDefault();
  document.getElementById('main')?.focus();
}

function Overlays() {
  const overlay = useStore(overlayStore);
  const close = () => overlayStore.set(null);
  return (
    <>
      {overlay === 'settings' && <Settings onClose={close} />}
      {overlay === 'palette' && <Palette onClose={close} />}
      {overlay === 'shortcuts' && <Shortcuts onClose={close} />}
    </>
  );
}
