import { loadModule } from '../../load-module';
import { lazyPart } from '../ui/lazy-part';

export const ModelList = lazyPart(() =>
  loadModule(() => import('./ModelList')).then((m) => m.ModelList),
);

// The first interaction loads the list, so that it is there when it is opened.
if (typeof document !== 'undefined') {
  const prepare = () => void ModelList.prepare().catch(() => {});
  for (const event of ['keydown', 'pointerdown', 'pointerover'])
    document.addEventListener(event, prepare, { once: true });
}
