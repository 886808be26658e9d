import type { ModelStatus, RecentRequest, TargetState } from './types';

/** How targets and models stand: one answer for the picker, the header and the status panel. */

export interface Health {
  word: string;
  /** `off`: not set up. */
  tone: 'ok' | 'warn' | 'bad' | 'off';
}

export const READY: Health = { word: 'Ready', tone: 'ok' };
const NOT_SET_UP: Health = { word: 'Not set up', tone: 'off' };
const FAILING: Health = { word: 'Failing', tone: 'bad' };

const TARGETS: Record<string, Health> = {
  ready: READY,
  ejected: FAILING,
  cooldown: { word: 'Cooldown', tone: 'warn' },
  unauthorized: { word: 'Key rejected', tone: 'bad' },
  rate_limited: { word: 'Rate-limited', tone: 'warn' },
  unhealthy: { word: 'Unhealthy', tone: 'bad' },
  not_configured: NOT_SET_UP,
};

export function targetHealth(state: TargetState): Health {
  return TARGETS[state] ?? { word: state.replaceAll('_', ' '), tone: 'warn' };
}

export function modelHealth(
  model: Pick<ModelStatus, 'id' | 'ready' | 'targets'>,
  recent: RecentRequest[],
): Health {
  if (!model.ready) return NOT_SET_UP;
  const states = model.targets?.flatMap((target) =>
    target.state === 'not_configured' ? [] : targetHealth(target.state),
  );
  const out = states?.filter((state) => state !== READY) ?? [];
  const of = states?.length ?? 0;
  if (of > 1 && out.length > 0) {
    if (out.length < of)
      return { word: `${out.length} of ${of} targets unavailable`, tone: 'warn' };
    return { word: 'All targets unavailable', tone: 'bad' };
  }
  // A single target gets requests whatever its state: the last one tells how it stands.
  return out[0] ?? (of < 2 && lastFailed(model.id, recent) ? FAILING : READY);
}

/** The newest requests come first. Those that clients broke off or got wrong tell nothing. */
function lastFailed(model: string, recent: RecentRequest[]): boolean {
  const telling = ['ok', 'upstream_error', 'timeout'];
  const last = recent.find(
    (request) => request.model === model && telling.includes(request.outcome),
  );
  return last !== undefined && last.outcome !== 'ok';
}
