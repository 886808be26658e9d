import { loadModule } from '../load-module';
import { networkFault } from './faults';
import type { Progress, RunOptions } from './run';
import type { ChatRequest } from './types';

const load = () => loadModule(() => import('./run'));

/** As `runChat` of `run.ts`, which is not in the first load. */
export async function runChat(request: ChatRequest, options: RunOptions): Promise<Progress> {
  const found = await load().catch(() => null);
  if (found) return found.runChat(request, options);
  if (options.signal.aborted) return { state: 'stopped', text: '' };
  // The gateway serves it: it would not receive the request either.
  return { state: 'failed', text: '', fault: networkFault(navigator.onLine) };
}

// The first interaction loads it, so that it is there before the first message is sent.
if (typeof document !== 'undefined') {
  const prepare = () => void load().catch(() => {});
  for (const event of ['keydown', 'pointerdown'])
    document.addEventListener(event, prepare, { once: true });
}
