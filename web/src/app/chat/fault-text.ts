import type { Fault, FaultKind } from '../../store/types';
import type { IconName } from '../ui/Icon';

/** What can be offered on an error card. */
export type FaultAction = 'retry' | 'continue' | 'key' | 'model' | 'new-chat' | 'status' | 'none';

interface FaultText {
  title: string;
  cause: string;
  action: FaultAction;
  icon: IconName;
}

const TEXTS: Record<FaultKind, FaultText> = {
  key: {
    title: 'The gateway wants a valid key',
    cause: 'The key is missing, mistyped, expired or withdrawn.',
    action: 'key',
    icon: 'key',
  },
  payment: {
    title: 'The account has no credit left',
    cause: 'The provider asks for payment before it answers again.',
    action: 'model',
    icon: 'warn',
  },
  forbidden: {
    title: 'This is not allowed here',
    cause: 'The gateway or the provider refuses this request for this caller.',
    action: 'model',
    icon: 'warn',
  },
  model: {
    title: 'There is no such model here',
    cause: 'It was renamed, removed, or is not for your key.',
    action: 'model',
    icon: 'search',
  },
  setup: {
    title: 'This model is not set up yet',
    cause: 'Its provider has no key on the gateway.',
    action: 'model',
    icon: 'key',
  },
  request: {
    title: 'The request was not accepted',
    cause: 'A parameter or a message does not fit this model.',
    action: 'retry',
    icon: 'warn',
  },
  'too-large': {
    title: 'This is too large to send',
    cause: 'The conversation with its attachments exceeds the limit on a request.',
    action: 'new-chat',
    icon: 'warn',
  },
  rate: {
    title: 'Too many requests for now',
    cause: 'The provider limits how often it may be asked.',
    action: 'retry',
    icon: 'clock',
  },
  overloaded: {
    title: 'No capacity at the moment',
    cause: 'The gateway or the provider has as much to do as it can.',
    action: 'retry',
    icon: 'clock',
  },
  server: {
    title: 'The provider failed',
    cause: 'Something went wrong on the other side.',
    action: 'retry',
    icon: 'warn',
  },
  upstream: {
    title: 'The provider cannot be reached',
    cause: 'The gateway got no usable answer from it.',
    action: 'retry',
    icon: 'plug',
  },
  'upstream-key': {
    title: "The provider refused the gateway's key",
    cause: 'Whoever runs the gateway has to set a valid one. Your own key is not the matter.',
    action: 'model',
    icon: 'key',
  },
  timeout: {
    title: 'The answer took too long',
    cause: 'The provider did not answer within the time that the gateway waits.',
    action: 'retry',
    icon: 'clock',
  },
  'in-stream': {
    title: 'The answer broke off',
    cause: 'The provider reported an error in the middle of it.',
    action: 'continue',
    icon: 'warn',
  },
  cut: {
    title: 'Connection lost',
    cause: 'What had arrived is kept.',
    action: 'continue',
    icon: 'plug',
  },
  offline: {
    title: 'The gateway does not answer',
    cause: 'Nothing was sent, or nothing came back.',
    action: 'retry',
    icon: 'plug',
  },
  empty: {
    title: 'The answer is empty',
    cause: 'The model ended without a word.',
    action: 'retry',
    icon: 'info',
  },
};

export function textOf(fault: Fault): FaultText {
  return TEXTS[fault.kind] ?? TEXTS.server;
}
