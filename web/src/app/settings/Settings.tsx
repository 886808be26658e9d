import './settings.css';
import { useStore } from '../../store/create-store';
import { Dialog } from '../ui/Dialog';
import { settingsTabStore } from '../view';
import { About } from './About';
import { Data } from './Data';
import { General } from './General';
import { ModelsTab } from './ModelsTab';

const TABS = [
  { id: 'general', name: 'General' },
  { id: 'models', name: 'Models & presets' },
  { id: 'data', name: 'Data' },
  { id: 'about', name: 'About' },
] as const;

export function Settings({ onClose }: { onClose: () => void }) {
  const tab = useStore(settingsTabStore);
  const at = TABS.findIndex((entry) => entry.id === tab);
  const onKeyDown = (event: { key: string; currentTarget: HTMLElement }) => {
    const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!by) return;
    const next = (at + by + TABS.length) % TABS.length;
    settingsTabStore.set(TABS[next]?.id ?? 'general');
    event.currentTarget.querySelectorAll('button')[next]?.focus();
  };
  return (
    <Dialog title="Settings" onClose={onClose} className="settings">
      <div className="tabs" role="tablist" aria-label="Settings" onKeyDown={onKeyDown}>
        {TABS.map((entry) => (
          <button
            key={entry.id}
            type="button"
            role="tab"
            id={`tab-${entry.id}`}
            aria-selected={entry.id === tab}
            aria-controls="settings-panel"
            tabIndex={entry.id === tab ? 0 : -1}
            onClick={() => settingsTabStore.set(entry.id)}
          >
            {entry.name}
          </button>
        ))}
      </div>
      <div
        className="tab-panel"
        role="tabpanel"
        id="settings-panel"
        aria-labelledby={`tab-${tab}`}
        // biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls, and must do so by keyboard
        tabIndex={0}
      >
        {tab === 'general' && <General />}
        {tab === 'models' && <ModelsTab />}
        {tab === 'data' && <Data onClose={onClose} />}
        {tab === 'about' && <About />}
      </div>
    </Dialog>
  );
}
