import './styles/index.css';
import { createRoot } from 'react-dom/client';
import { App, start } from './app/App';
import { applyAppearance } from './app/appearance';

// Before the first paint, so that a chosen theme does not flash.
applyAppearance();

const root = document.getElementById('root');
if (root) {
  // Both documents load this one file: a second entry would split what they
  // share into further files, and the first load has to stay at a few requests.
  if (document.documentElement.dataset.page === 'docs') {
    // Not awaited: the chunk imports this file, which would then wait for itself.
    void import('./docs').then(({ Docs }) => createRoot(root).render(<Docs />));
  } else {
    start();
    createRoot(root).render(<App />);
  }
}
