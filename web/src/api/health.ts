import { t } from '../i18n';
import type { ModelStatus, RecentRequest, TargetState } from './types';

/** How targets and models stand: one answer for the picker, the header and the status panel. */

export interface Health {
  word: string;
  /** `off`: not set up. */
  tone: 'ok' | 'warn' | 'bad' | 'off';
}

/** The language may change while a state is kept. */
const health = (tone: Health['tone'], word: () => string): Health => ({
  tone,
  get word() {
    return word();
  },
});

export const READY = health('ok', () => t('health.ready'));
const NOT_SET_UP = health('off', () => t('health.notSetUp'));
const FAILING = health('bad', () => t('health.failing'));

const TARGETS: Record<string, Health> = {
  ready: READY,
  ejected: FAILING,
  cooldown: health('warn', () => t('health.cooldown')),
  unauthorized: health('bad', () => t('health.unauthorized')),
  rate_limited: health('warn', () => t('health.rateLimited')),
  unhealthy: health('bad', () => t('health.unhealthy')),
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
      return health('warn', () => t('health.someOut', { out: out.length, n: of }));
    return health('bad', () => t('health.allOut'));
  }
  // A single target gets requests whatever its state: the last one tells how it stands.
  return out[0] ?? (of < 2 && lastFailed(model.id, recent) ? FAILING : READY);
}

/**
 * The newest requests come first. By the same rule as the gateway has for its providers: one that a
 * client got wrong had a response, and one that it broke off tells nothing.
 */
function lastFailed(model: string, recent: RecentRequest[]): boolean {
  const failed = ['upstream_error', 'timeout'];
  const telling = ['ok', 'client_error', ...failed];
  const last = recent.find(
    (request) => request.model === model && telling.includes(request.outcome),
  );
  return last !== undefined && failed.includes(last.outcome);
}
