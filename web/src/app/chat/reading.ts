import { loadModule } from '../../load-module';
import { createStore } from '../../store/create-store';
import { notify } from '../../store/notices';
import { unreachable } from '../ui/lazy-part';

/** The message that the browser reads out; null while it is silent. */
export const readStore = createStore<string | null>(null);

export const canRead = () => typeof speechSynthesis !== 'undefined';

/** Unless it reads another one. */
export function stopReading(message: string): void {
  if (readStore.get() !== message) return;
  readStore.set(null);
  speechSynthesis.cancel();
}

export function toggleReading(message: string, text: string): void {
  if (readStore.get() === message) stopReading(message);
  else
    void loadModule(() => import('./read-aloud'))
      .then(({ readAloud }) => readAloud(message, text))
      .catch(() => notify(unreachable()));
}
