import { t } from '../i18n';
import { newId } from './id';
import type { Conversation, Message, Params } from './types';

/** Pure functions on the message tree of a conversation. */

export function newConversation(model: string, params: Params): Conversation {
  const now = Date.now();
  return {
    v: 1,
    id: newId(),
    title: '',
    named: false,
    model,
    params,
    created: now,
    updated: now,
    pinned: false,
    messages: {},
    chosen: {},
    gone: [],
  };
}

/** The root of a lane's messages. */
export function laneRoot(lane: string): string {
  return `lane:${lane}`;
}

/** Oldest first. */
export function childrenOf(chat: Conversation, parent: string): Message[] {
  return Object.values(chat.messages)
    .filter((message) => message.parent === parent)
    .sort((a, b) => a.at - b.at);
}

/** The visible messages from the top: at each fork the chosen branch, else the newest. */
export function pathOf(chat: Conversation, root = ''): Message[] {
  const byParent = new Map<string, Message[]>();
  for (const message of Object.values(chat.messages)) {
    const siblings = byParent.get(message.parent);
    if (siblings) siblings.push(message);
    else byParent.set(message.parent, [message]);
  }
  const path: Message[] = [];
  let parent = root;
  for (;;) {
    const siblings = byParent.get(parent);
    if (!siblings) return path;
    const next = chosenOf(chat, parent, siblings);
    // A damaged tree may contain a cycle.
    if (!next || path.includes(next)) return path;
    path.push(next);
    parent = next.id;
  }
}

function chosenOf(chat: Conversation, parent: string, siblings: Message[]): Message | undefined {
  const chosenId = chat.chosen[parent];
  const found = siblings.find((message) => message.id === chosenId);
  return found ?? siblings.reduce((a, b) => (b.at >= a.at ? b : a));
}

/** For each message with siblings, its position such as `2 / 3`. */
export function versionsOf(chat: Conversation): Map<string, string> {
  const byParent = new Map<string, Message[]>();
  for (const message of Object.values(chat.messages)) {
    const siblings = byParent.get(message.parent);
    if (siblings) siblings.push(message);
    else byParent.set(message.parent, [message]);
  }
  const versions = new Map<string, string>();
  for (const siblings of byParent.values()) {
    if (siblings.length < 2) continue;
    siblings.sort((a, b) => a.at - b.at);
    siblings.forEach((sibling, i) => {
      versions.set(sibling.id, `${i + 1} / ${siblings.length}`);
    });
  }
  return versions;
}

/** The messages before this one, topmost first. */
export function ancestors(chat: Conversation, message: Message): Message[] {
  const path: Message[] = [];
  const seen = new Set([message.id]);
  let parent = chat.messages[message.parent];
  while (parent && !seen.has(parent.id)) {
    seen.add(parent.id);
    path.unshift(parent);
    parent = chat.messages[parent.parent];
  }
  return path;
}

/** Adds the message and selects it. */
export function withMessage(chat: Conversation, message: Message): Conversation {
  return {
    ...chat,
    updated: Date.now(),
    messages: { ...chat.messages, [message.id]: message },
    chosen: { ...chat.chosen, [message.parent]: message.id },
  };
}

/** Returns the same chat if the message does not exist. */
export function patchMessage(
  chat: Conversation,
  id: string,
  patch: Partial<Message>,
): Conversation {
  const message = chat.messages[id];
  if (!message) return chat;
  const next = { ...message, ...patch };
  return { ...chat, updated: Date.now(), messages: { ...chat.messages, [id]: next } };
}

/** Returns the same chat if the message does not exist. */
export function replaceMessage(chat: Conversation, message: Message): Conversation {
  if (!chat.messages[message.id]) return chat;
  return {
    ...chat,
    updated: Date.now(),
    messages: { ...chat.messages, [message.id]: message },
  };
}

/** Removes a message and all its descendants. */
export function withoutMessage(chat: Conversation, id: string): Conversation {
  const removed = new Set([id]);
  const queue = [id];
  for (let parent = queue.pop(); parent !== undefined; parent = queue.pop()) {
    for (const child of childrenOf(chat, parent)) {
      if (removed.has(child.id)) continue;
      removed.add(child.id);
      queue.push(child.id);
    }
  }
  const keep = Object.entries(chat.messages).filter(([messageId]) => !removed.has(messageId));
  const chosen = Object.entries(chat.chosen).filter(
    ([parent, child]) => !removed.has(parent) && !removed.has(child),
  );
  return {
    ...chat,
    updated: Date.now(),
    messages: Object.fromEntries(keep),
    chosen: Object.fromEntries(chosen),
    gone: [...chat.gone, ...removed],
  };
}

/** Later than the parent and all siblings, so that siblings keep their order. */
export function nextTimestamp(chat: Conversation, parent: string): number {
  const siblings = childrenOf(chat, parent);
  const last = siblings.at(-1)?.at ?? chat.messages[parent]?.at ?? 0;
  return Math.max(Date.now(), last + 1);
}

/** A title from the first message. Only what is markup for sure is left out. */
export function titleFrom(text: string): string {
  const prose = text.replace(/```[\s\S]*?(?:```|$)/g, ' ');
  const line = (prose.trim() ? prose : text.replace(/^\s*```[^\n]*|```/g, ' '))
    .replace(/^[ \t]*(?:#{1,6}|>|[-*+])[ \t]+/gm, '')
    .replace(/(?<!\w)\*\*(?=\S)(.+?)(?<=\S)\*\*(?!\w)/g, '$1')
    .replace(/`+([^`\n]+)`+/g, '$1')
    .replace(/!?\[([^\]\n]*)\]\([^)\s]*\)/g, '$1')
    .replace(/\s+/g, ' ')
    .trim();
  if (line.length <= 60) return line || t('app.newChat');
  // Not within a letter of two units.
  const cut = line.slice(0, 60).replace(/[\ud800-\udbff]$/, '');
  const space = cut.lastIndexOf(' ');
  return `${space > 40 ? cut.slice(0, space) : cut}…`;
}

/**
 * Merges two tabs' versions of a conversation. Messages of both are kept; of a message in both,
 * the version with the later heartbeat.
 */
export function mergeConversations(ours: Conversation, theirs: Conversation): Conversation {
  const gone = new Set([...ours.gone, ...theirs.gone]);
  const messages: Record<string, Message> = {};
  for (const [id, message] of Object.entries({ ...theirs.messages, ...ours.messages })) {
    if (gone.has(id)) continue;
    const other = theirs.messages[id];
    messages[id] = other && isNewerVersion(other, message) ? other : message;
  }
  const newer = theirs.updated > ours.updated ? theirs : ours;
  return {
    ...newer,
    messages,
    chosen: { ...theirs.chosen, ...ours.chosen },
    gone: [...gone],
    updated: Math.max(ours.updated, theirs.updated),
  };
}

function isNewerVersion(a: Message, b: Message): boolean {
  // A tab that was taken for lost goes on: its next heartbeat tells.
  const later = (a.beat ?? 0) - (b.beat ?? 0);
  return later === 0 ? b.state === 'streaming' && a.state !== b.state : later > 0;
}
