import { lazy, Suspense, useEffect } from 'react';
import { startGateway } from '../api/gateway';
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
import { Announcer, Notices } from './Notices';
import { openComparison } from './open-comparison';
import { routeStore, startRoute } from './route';
import { Sidebar } from './Sidebar';
import { isNarrow, overlayStore } from './view';

// Not needed by most visits, so not part of the first load.
const StatusPanel = lazy(() => import('../status').then((m) => ({ default: m.StatusPanel })));
const Settings = lazy(() => import('./settings/Settings').then((m) => ({ default: m.Settings })));
const Palette = lazy(() => import('./palette/Palette').then((m) => ({ default: m.Palette })));
const Shortcuts = lazy(() => import('./palette/Shortcuts').then((m) => ({ default: m.Shortcuts })));
const Compare = lazy(() => import('./compare/Compare').then((m) => ({ default: m.Compare })));

export function start(): void {
  startStore();
  startRoute();
  // Immediately if the page opens on a conversation.
  if (routeStore.get()) void loadMarkdown().catch(() => {});
  readQueryDraft();
  startGateway();
  startHotkeys();
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
        Skip to the conversation
      </a>
      <Sidebar />
      <div className="main">
        <Header chatId={id} />
        <Banners />
        <Page id={id} />
      </div>
      {status && (
        <aside className="status-side" aria-label="Gateway status">
          <Suspense fallback={<p className="loading">Loading status…</p>}>
            <StatusPanel />
          </Suspense>
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
    if (lost) openComparison([]);
  }, [lost]);
  if (chat?.lanes) {
    return (
      <Suspense fallback={<main id="main" tabIndex={-1} className="chat" />}>
        <Compare chat={chat} />
      </Suspense>
    );
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
    <Suspense fallback={null}>
      {overlay === 'settings' && <Settings onClose={close} />}
      {overlay === 'palette' && <Palette onClose={close} />}
      {overlay === 'shortcuts' && <Shortcuts onClose={close} />}
    </Suspense>
  );
}
