import './settings.css';
import { t } from '../../i18n';
import { useStore } from '../../store/create-store';
import { Dialog } from '../ui/Dialog';
import { type SettingsTab, settingsTabStore } from '../view';
import { About } from './About';
import { Data } from './Data';
import { General } from './General';
import { ModelsTab } from './ModelsTab';

const TABS: { id: SettingsTab; name: () => string }[] = [
  { id: 'general', name: () => t('settings.general') },
  { id: 'models', name: () => t('settings.models') },
  { id: 'data', name: () => t('settings.data') },
  { id: 'about', name: () => t('settings.about') },
];

export function Settings({ onClose }: { onClose: () => void }) {
  const tab = useStore(settingsTabStore);
  const at = TABS.findIndex((entry) => entry.id === tab);
  const onKeyDown = (event: { key: string; currentTarget: HTMLElement }) => {
    const toRight = document.documentElement.dir === 'rtl' ? -1 : 1;
    const by = { ArrowRight: toRight, ArrowLeft: -toRight }[event.key];
    if (!by) return;
    const next = (at + by + TABS.length) % TABS.length;
    settingsTabStore.set(TABS[next]?.id ?? 'general');
    event.currentTarget.querySelectorAll('button')[next]?.focus();
  };
  return (
    <Dialog title={t('ui.settings')} onClose={onClose} className="settings">
      <div className="tabs" role="tablist" aria-label={t('ui.settings')} onKeyDown={onKeyDown}>
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
            {entry.name()}
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
