import './styles/index.css';
import { createRoot } from 'react-dom/client';
import { App, start } from './app/App';
import { applyAppearance } from './app/appearance';
import { keepCompositions } from './app/composing';
import { surviveTranslation } from './app/translation';

// Before the first paint, so that the theme does not flash.
applyAppearance();
keepCompositions();
surviveTranslation();

const root = document.getElementById('root');
if (root) {
  // One entry for both documents: a second one would split shared code into more files, and the
  // first load is limited to a few requests.
  if (document.documentElement.dataset.page === 'docs') {
    // Not awaited: the chunk imports this file, which would then wait for itself.
    void import('./docs').then(({ Docs }) => createRoot(root).render(<Docs />));
  } else {
    start();
    createRoot(root).render(<App />);
  }
}
