import './styles/index.css';
import { createRoot } from 'react-dom/client';
import { App, start } from './app/App';
import { applyAppearance } from './app/appearance';
import { keepCompositions } from './app/composing';
import { surviveTranslation } from './app/translation';
import { startLanguage } from './i18n/language';
import { loadModule } from './load-module';

// Before the first paint, so that the theme does not flash.
applyAppearance();
keepCompositions();
surviveTranslation();

const container = document.getElementById('root');
if (container) {
  const root = createRoot(container);
  let started = false;
  // Also before the first paint: no text changes after it. By the key, all is drawn anew in
  // another language.
  startLanguage((language) => {
    // One entry for both documents: a second one would split shared code into more files, and the
    // first load is limited to a few requests.
    if (document.documentElement.dataset.page === 'docs') {
      // Not awaited: the chunk imports this file, which would then wait for itself.
      void loadModule(() => import('./docs')).then(({ Docs }) =>
        root.render(<Docs key={language} />),
      );
      return;
    }
    if (!started) start();
    started = true;
    root.render(<App key={language} />);
  });
}
