import { settingsStore } from '../store/settings';

/** Applies theme, density and font size to the document, now and on change. */
export function applyAppearance(): void {
  const apply = () => {
    const { theme, density, fontSize } = settingsStore.get();
    const root = document.documentElement;
    if (theme === 'system') delete root.dataset.theme;
    else root.dataset.theme = theme;
    root.dataset.density = density;
    root.style.setProperty('--font-size', `${fontSize / 16}rem`);
  };
  apply();
  settingsStore.subscribe(apply);
}
