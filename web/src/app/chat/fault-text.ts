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

const TEXTS: Record<FaultKind, FaultText> = {
  key: {
    title: 'The gateway requires a valid key',
    cause: 'The key is missing, mistyped, expired or revoked.',
    action: 'key',
    icon: 'key',
  },
  payment: {
    title: 'The account has no credit left',
    action: 'model',
    icon: 'warn',
  },
  forbidden: {
    title: 'This request is not allowed',
    cause: 'The gateway or the provider rejected this request for your key.',
    action: 'model',
    icon: 'warn',
  },
  model: {
    title: 'Unknown model',
    cause: 'It was renamed or removed, or your key may not use it.',
    action: 'model',
    icon: 'search',
  },
  setup: {
    title: 'This model is not set up',
    action: 'model',
    icon: 'key',
  },
  request: {
    title: 'The request was rejected',
    action: 'retry',
    icon: 'warn',
  },
  'too-large': {
    title: 'The request is too large',
    cause: 'The conversation with its attachments exceeds the size limit.',
    action: 'new-chat',
    icon: 'warn',
  },
  rate: {
    title: 'Too many requests',
    action: 'retry',
    icon: 'clock',
  },
  limit: {
    title: 'Your limit is reached',
    action: 'retry',
    icon: 'clock',
  },
  quota: {
    title: 'Your quota is used up',
    action: 'retry',
    icon: 'clock',
  },
  blocked: {
    title: 'Your requests are blocked',
    action: 'retry',
    icon: 'warn',
  },
  exceeds: {
    title: 'The request is larger than your limit',
    action: 'new-chat',
    icon: 'warn',
  },
  unmetered: {
    title: 'Your limits do not allow this',
    action: 'model',
    icon: 'warn',
  },
  overloaded: {
    title: 'No capacity at the moment',
    action: 'retry',
    icon: 'clock',
  },
  server: {
    title: 'The provider failed',
    action: 'retry',
    icon: 'warn',
  },
  upstream: {
    title: 'The provider cannot be reached',
    action: 'retry',
    icon: 'plug',
  },
  'upstream-key': {
    title: "The provider rejected the gateway's key",
    cause: 'The operator of the gateway must set a valid provider key. Your client key is valid.',
    action: 'model',
    icon: 'key',
  },
  timeout: {
    title: 'The response took too long',
    action: 'retry',
    icon: 'clock',
  },
  'in-stream': {
    title: 'The answer was interrupted',
    action: 'continue',
    icon: 'warn',
  },
  cut: {
    title: 'Connection lost',
    action: 'continue',
    icon: 'plug',
  },
  offline: {
    title: 'The gateway is not responding',
    action: 'retry',
    icon: 'plug',
  },
  empty: {
    title: 'The answer is empty',
    action: 'retry',
    icon: 'info',
  },
};

export function faultText(fault: Fault): FaultText {
  const text = TEXTS[fault.kind] ?? TEXTS.server;
  return fault.kind === 'quota' && fault.limit?.of === 'budget'
    ? { ...text, title: 'Your budget is used up' }
    : text;
}
