import { t } from '../../i18n';
import type { Fault, FaultKind } from '../../store/types';
import type { IconName } from '../ui/Icon';

export type FaultAction = 'retry' | 'continue' | 'key' | 'model' | 'new-chat' | 'status' | 'none';

interface FaultText {
  title: string;
  /** What neither the title nor the message says. */
  cause?: string;
  action: FaultAction;
  icon: IconName;
}

const TEXTS: Record<FaultKind, () => FaultText> = {
  key: () => ({
    title: t('error.key'),
    cause: t('error.keyCause'),
    action: 'key',
    icon: 'key',
  }),
  payment: () => ({
    title: t('error.payment'),
    action: 'model',
    icon: 'warn',
  }),
  forbidden: () => ({
    title: t('error.forbidden'),
    cause: t('error.forbiddenCause'),
    action: 'model',
    icon: 'warn',
  }),
  model: () => ({
    title: t('error.model'),
    cause: t('error.modelCause'),
    action: 'model',
    icon: 'search',
  }),
  setup: () => ({
    title: t('error.setup'),
    action: 'model',
    icon: 'key',
  }),
  request: () => ({
    title: t('error.request'),
    action: 'retry',
    icon: 'warn',
  }),
  'too-large': () => ({
    title: t('error.tooLarge'),
    cause: t('error.tooLargeCause'),
    action: 'new-chat',
    icon: 'warn',
  }),
  rate: () => ({
    title: t('error.rate'),
    action: 'retry',
    icon: 'clock',
  }),
  limit: () => ({
    title: t('error.limit'),
    action: 'retry',
    icon: 'clock',
  }),
  quota: () => ({
    title: t('error.quota'),
    action: 'retry',
    icon: 'clock',
  }),
  blocked: () => ({
    title: t('error.blocked'),
    action: 'retry',
    icon: 'warn',
  }),
  exceeds: () => ({
    title: t('error.exceeds'),
    action: 'new-chat',
    icon: 'warn',
  }),
  unmetered: () => ({
    title: t('error.unmetered'),
    action: 'model',
    icon: 'warn',
  }),
  overloaded: () => ({
    title: t('error.overloaded'),
    action: 'retry',
    icon: 'clock',
  }),
  server: () => ({
    title: t('error.server'),
    action: 'retry',
    icon: 'warn',
  }),
  upstream: () => ({
    title: t('error.upstream'),
    action: 'retry',
    icon: 'plug',
  }),
  'upstream-key': () => ({
    title: t('error.upstreamKey'),
    cause: t('error.upstreamKeyCause'),
    action: 'model',
    icon: 'key',
  }),
  timeout: () => ({
    title: t('error.timeout'),
    action: 'retry',
    icon: 'clock',
  }),
  'in-stream': () => ({
    title: t('error.inStream'),
    action: 'continue',
    icon: 'warn',
  }),
  cut: () => ({
    title: t('error.cut'),
    action: 'continue',
    icon: 'plug',
  }),
  offline: () => ({
    title: t('error.offline'),
    action: 'retry',
    icon: 'plug',
  }),
  empty: () => ({
    title: t('error.empty'),
    action: 'retry',
    icon: 'info',
  }),
};

export function faultText(fault: Fault): FaultText {
  const text = (TEXTS[fault.kind] ?? TEXTS.server)();
  return fault.kind === 'quota' && fault.limit?.of === 'budget'
    ? { ...text, title: t('error.budget') }
    : text;
}
