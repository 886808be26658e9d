import { useEffect, useLayoutEffect, useRef, useState } from 'react';
import { gatewayStore } from '../../api/gateway';
import { estimateTokens } from '../../api/metrics';
import { t } from '../../i18n';
import type { Draft } from '../../store/actions';
import { useStore } from '../../store/create-store';
import { stopChat, useIsLive } from '../../store/live';
import { settingsStore } from '../../store/settings';
import { short } from '../format';
import { Icon } from '../ui/Icon';
import { command, isNarrow, isTouch, onCommand } from '../view';
import { Attachments } from './Attachments';
import { attach, LONG_PASTE, pasted } from './attach';
import { Dictation } from './Dictation';
import { draftReplaced, keepDraft, putDraft, readDraft } from './draft';
import { ParamsButton } from './ParamsButton';
import { Queue } from './Queue';

interface Props {
  chatId: string | null;
  model: string;
  /** Tokens of the conversation so far. */
  history: number;
  placeholder: string;
  onSend: (draft: Draft) => void;
}

const EMPTY: Draft = { text: '', attachments: [] };

export function Composer({ chatId, model, history, placeholder, onSend }: Props) {
  const [draft, setState] = useState<Draft>(() => readDraft(chatId));
  const area = useRef<HTMLTextAreaElement>(null);
  const picker = useRef<HTMLInputElement>(null);
  const live = useIsLive(chatId);
  const { sendKey } = useStore(settingsStore);
  const replaced = useStore(draftReplaced);
  const canSend = draft.text.trim() !== '' || draft.attachments.length > 0;

  const change = (next: Draft) => {
    setState(next);
    keepDraft(chatId, next);
  };
  useEffect(() => setState(readDraft(chatId)), [chatId, replaced]);
  // No autofocus on touch devices: the keyboard would cover half the screen.
  useEffect(() => {
    if (!isNarrow()) area.current?.focus();
  }, [chatId]);
  useEffect(() => onCommand((name) => name === 'focus-composer' && area.current?.focus()), []);
  useLayoutEffect(() => grow(area.current), [draft.text]);

  const send = () => {
    if (!canSend) return;
    change(EMPTY);
    onSend({ text: draft.text.trim(), attachments: draft.attachments });
  };
  const add = async (files: Iterable<File>) => {
    const attachments = await attach(chatId, files);
    const now = readDraft(chatId);
    putDraft(chatId, { ...now, attachments: [...now.attachments, ...attachments] });
  };
  const say = (text: string) => {
    const now = readDraft(chatId);
    putDraft(chatId, { ...now, text: now.text ? `${now.text.trimEnd()} ${text}` : text });
  };
  const onKeyDown = (event: React.KeyboardEvent<HTMLTextAreaElement>) => {
    const mod = event.ctrlKey || event.metaKey;
    const plain = !mod && !event.shiftKey && !event.altKey && sendKey === 'enter' && !isTouch();
    if (event.key === 'Enter' && (mod || plain)) {
      event.preventDefault();
      send();
    } else if (event.key === 'ArrowUp' && draft.text === '') {
      event.preventDefault();
      command('edit-last');
    }
  };
  const onPaste = (event: React.ClipboardEvent) => {
    const files = [...(event.clipboardData?.files ?? [])];
    const text = event.clipboardData?.getData('text/plain') ?? '';
    if (files.length > 0 && !text) {
      event.preventDefault();
      void add(files);
    } else if (text.length > LONG_PASTE) {
      event.preventDefault();
      change({ ...draft, attachments: [...draft.attachments, pasted(text)] });
    }
  };

  return (
    // biome-ignore lint/a11y/useSemanticElements: no form, since the fields of what opens from it would send it
    <div className="composer" role="group" aria-label={t('composer.label')}>
      {chatId && <Queue chatId={chatId} live={live} draft={draft} />}
      <Attachments
        files={draft.attachments}
        onRemove={(id) =>
          change({
            ...draft,
            attachments: draft.attachments.filter((attachment) => attachment.id !== id),
          })
        }
      />
      <textarea
        id="composer"
        dir="auto"
        ref={area}
        rows={1}
        value={draft.text}
        placeholder={placeholder}
        aria-label={t('chat.message')}
        onInput={(event) => change({ ...draft, text: event.currentTarget.value })}
        onKeyDown={onKeyDown}
        onPaste={onPaste}
      />
      <div className="composer-row">
        <input
          ref={picker}
          type="file"
          multiple
          hidden
          aria-label={t('composer.files')}
          onChange={(event) => {
            void add([...(event.currentTarget.files ?? [])]);
            event.currentTarget.value = '';
          }}
        />
        <button
          type="button"
          className="icon-button"
          aria-label={t('composer.attach')}
          title={t('composer.attach')}
          onClick={() => picker.current?.click()}
        >
          <Icon name="attach" />
        </button>
        <ParamsButton chatId={chatId} />
        <Dictation chatId={chatId} onText={say} />
        <span className="grow" />
        <Estimate draft={draft} history={history} model={model} />
        {live && !canSend ? (
          <button
            type="button"
            className="send stop"
            aria-label={t('ui.stop')}
            title={t('composer.stopKeys')}
            onClick={() => chatId && stopChat(chatId)}
          >
            <Icon name="stop" size={16} />
          </button>
        ) : (
          <button
            type="button"
            className="send"
            aria-label={live ? t('composer.sendAfter') : t('ui.send')}
            disabled={!canSend}
            onClick={send}
          >
            <Icon name="send" size={18} />
          </button>
        )}
      </div>
    </div>
  );
}

/** What OpenAI counts for 1024 by 1024 pixels. */
const IMAGE_TOKENS = 765;

/** Share of the model's context that the next message would use, if known. */
function Estimate({ draft, history, model }: { draft: Draft; history: number; model: string }) {
  const context = useStore(gatewayStore).models.find((entry) => entry.id === model)?.context;
  const own = draft.attachments.reduce(
    (n, file) => n + (file.kind === 'image' ? IMAGE_TOKENS : estimateTokens(file.text ?? '')),
    0,
  );
  const typed = own + estimateTokens(draft.text);
  const total = history + typed;
  // Without a limit to compare with, and with nothing to send, a number says nothing.
  if (!context && (typed === 0 || total < 50)) return null;
  return (
    <span
      className="estimate"
      translate="no"
      title={t('composer.estimateTitle', { n: total, history })}
    >
      {context ? (
        <meter
          className="context"
          max={context}
          high={context * 0.8}
          optimum={0}
          value={total}
          aria-label={t('composer.context')}
        />
      ) : null}
      {context
        ? t('composer.tokensOf', { count: short(total), context: short(context) })
        : t('composer.tokens', { count: short(total) })}
    </span>
  );
}

function grow(element: HTMLTextAreaElement | null): void {
  if (!element || CSS.supports('field-sizing: content')) return;
  element.style.height = 'auto';
  element.style.height = `${element.scrollHeight}px`;
}
