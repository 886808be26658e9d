import type { Fault, FaultKind } from '../../store/types';
import type { IconName } from '../ui/Icon';

export type FaultAction = 'retry' | 'continue' | 'key' | 'model' | 'new-chat' | 'status' | 'none';

interface FaultText {
  title: string;
  cause: string;
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
    cause: 'The provider requires payment.',
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
    cause: 'The gateway has no API key for its provider.',
    action: 'model',
    icon: 'key',
  },
  request: {
    title: 'The request was rejected',
    cause: 'A parameter or a message is not valid for this model.',
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
    cause: 'A rate limit is exceeded.',
    action: 'retry',
    icon: 'clock',
  },
  overloaded: {
    title: 'No capacity at the moment',
    cause: 'The gateway or the provider is overloaded.',
    action: 'retry',
    icon: 'clock',
  },
  server: {
    title: 'The provider failed',
    cause: 'The provider returned a server error.',
    action: 'retry',
    icon: 'warn',
  },
  upstream: {
    title: 'The provider cannot be reached',
    cause: 'The gateway got no valid response from it.',
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
    cause: "The provider did not respond within the gateway's timeout.",
    action: 'retry',
    icon: 'clock',
  },
  'in-stream': {
    title: 'The answer was interrupted',
    cause: 'The provider sent an error in the stream.',
    action: 'continue',
    icon: 'warn',
  },
  cut: {
    title: 'Connection lost',
    cause: 'The text received so far is kept.',
    action: 'continue',
    icon: 'plug',
  },
  offline: {
    title: 'The gateway is not responding',
    cause: 'The request failed without a response.',
    action: 'retry',
    icon: 'plug',
  },
  empty: {
    title: 'The answer is empty',
    cause: 'The model returned no text.',
    action: 'retry',
    icon: 'info',
  },
};

export function faultText(fault: Fault): FaultText {
  return TEXTS[fault.kind] ?? TEXTS.server;
}
