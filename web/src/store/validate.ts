import type { Conversation, IndexEntry, Message } from './types';

/** Validates stored JSON. */

type Unknown = Record<string, unknown>;

export function isObject(value: unknown): value is Unknown {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isMessage(value: unknown): value is Message {
  return (
    isObject(value) &&
    typeof value.id === 'string' &&
    typeof value.parent === 'string' &&
    (value.role === 'user' || value.role === 'assistant') &&
    typeof value.at === 'number' &&
    typeof value.state === 'string' &&
    typeof value.text === 'string' &&
    [value.attachments, value.toolCalls, value.toolResults].every(isRows)
  );
}

function isRows(value: unknown): boolean {
  return value === undefined || (Array.isArray(value) && value.every(isObject));
}

export function isConversation(value: unknown): value is Conversation {
  return (
    isObject(value) &&
    value.v === 1 &&
    typeof value.id === 'string' &&
    typeof value.title === 'string' &&
    typeof value.model === 'string' &&
    typeof value.updated === 'number' &&
    isObject(value.params) &&
    isObject(value.chosen) &&
    Array.isArray(value.gone) &&
    isObject(value.messages) &&
    Object.entries(value.messages).every(([id, message]) => isMessage(message) && message.id === id)
  );
}

export function isEntry(value: unknown): value is IndexEntry {
  return (
    isObject(value) &&
    typeof value.id === 'string' &&
    typeof value.title === 'string' &&
    typeof value.updated === 'number'
  );
}

export function isIndex(value: unknown): value is IndexEntry[] {
  return Array.isArray(value) && value.every(isEntry);
}
