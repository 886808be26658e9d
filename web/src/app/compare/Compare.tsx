import './compare.css';
import { useEffect, useMemo, useRef, useState } from 'react';
import { gatewayStore } from '../../api/gateway';
import { estimateTokens } from '../../api/metrics';
import { t } from '../../i18n';
import { keepLane, send } from '../../store/actions';
import { useStore } from '../../store/create-store';
import { newId } from '../../store/id';
import { fillLanes, readyModels } from '../../store/model-choice';
import { changeChat } from '../../store/storage/chats';
import { laneRoot, pathOf, versionsOf } from '../../store/tree';
import type { Conversation, Lane, Message } from '../../store/types';
import { AnswerView } from '../chat/AnswerView';
import { KeyCard } from '../chat/KeyCard';
import { QuestionTexts } from '../chat/QuestionText';
import { useFollow } from '../chat/use-follow';
import { Attachments } from '../composer/Attachments';
import { Composer } from '../composer/Composer';
import { ModelPicker } from '../model/ModelPicker';
import { MAX_LANES } from '../open-comparison';
import { goTo } from '../route';
import { copyText } from '../ui/copy';
import { Icon } from '../ui/Icon';
import { Race } from './Race';
import { asTable } from './table';

/** One question to up to four models, side by side. */
export function Compare({ chat }: { chat: Conversation }) {
  const lanes = chat.lanes ?? [];
  const { phase, models } = useStore(gatewayStore);
  const [synced, setSynced] = useState(true);
  const paths = useMemo(() => lanes.map((lane) => pathOf(chat, laneRoot(lane.id))), [chat, lanes]);
  const sync = useSync(synced);
  const latest = paths.map((path) => path.findLast((message) => message.role === 'assistant'));
  const begun = paths.some((path) => path.length > 0);
  // A comparison may be opened before the models are known.
  useEffect(() => {
    if (models.length > 0) fillEmptyLanes(chat);
  }, [chat, models]);

  const setLane = (at: number, model: string) =>
    changeLanes(
      chat.id,
      lanes.map((lane, i) => (i === at ? { ...lane, model } : lane)),
    );
  const addLane = (model: string) => changeLanes(chat.id, [...lanes, { id: newId(), model }]);
  const dropLane = (at: number) =>
    changeLanes(
      chat.id,
      lanes.filter((_, i) => i !== at),
    );

  return (
    <main id="main" tabIndex={-1} className="chat compare">
      <h1 className="visually-hidden">{chat.title}</h1>
      <div className="compare-bar">
        <Race messages={latest} names={lanes.map((lane) => lane.model)} />
        <span className="grow" />
        <label className="check">
          <input
            type="checkbox"
            checked={synced}
            onChange={(event) => setSynced(event.currentTarget.checked)}
          />
          {t('compare.sync')}
        </label>
        {begun && (
          <button
            type="button"
            className="button small"
            onClick={() => void copyText(asTable(lanes, latest), t('compare.copied'))}
          >
            <Icon name="copy" size={14} />
            {t('compare.copy')}
          </button>
        )}
        {lanes.length < MAX_LANES && !begun && (
          <button type="button" className="button small" onClick={() => addLane(nextModel(lanes))}>
            <Icon name="plus" size={14} />
            {t('compare.add')}
          </button>
        )}
      </div>
      <div className="lanes" data-lanes={lanes.length}>
        {lanes.map((lane, i) => (
          <section
            key={lane.id}
            className="lane"
            aria-label={t('compare.answersOf', { model: lane.model })}
          >
            <header className="lane-head">
              <ModelPicker
                value={lane.model}
                onPick={(model) => setLane(i, model)}
                label={t('compare.model', { n: i + 1 })}
              />
              <span className="grow" />
              {latest[i] && (
                <button
                  type="button"
                  className="button small"
                  title={t('compare.keepTitle')}
                  onClick={() => goTo(keepLane(chat, lane.id))}
                >
                  {t('compare.keep')}
                </button>
              )}
              {lanes.length > 2 && !begun && (
                <button
                  type="button"
                  className="icon-button"
                  aria-label={t('files.remove', { name: lane.model })}
                  onClick={() => dropLane(i)}
                >
                  <Icon name="close" size={15} />
                </button>
              )}
            </header>
            <LaneThread chat={chat} path={paths[i] ?? []} sync={sync} number={i + 1} />
          </section>
        ))}
      </div>
      <div className="composer-dock">
        {phase === 'key' ? (
          <KeyCard />
        ) : (
          <Composer
            key={chat.id}
            chatId={chat.id}
            model=""
            history={paths.flat().reduce((n, message) => n + estimateTokens(message.text), 0)}
            placeholder={
              lanes.length === 2 ? t('compare.askBoth') : t('compare.askAll', { n: lanes.length })
            }
            onSend={(draft) => send(chat.id, draft)}
          />
        )}
      </div>
    </main>
  );
}

interface LaneProps {
  chat: Conversation;
  path: Message[];
  sync: (from: HTMLElement) => void;
  /** Distinguishes lanes with the same model. */
  number: number;
}

function LaneThread({ chat, path, sync, number }: LaneProps) {
  const { scroller, inner } = useFollow();
  const versions = useMemo(() => versionsOf(chat), [chat]);
  return (
    // biome-ignore lint/a11y/useSemanticElements: a fieldset is for forms
    <div
      ref={scroller}
      role="group"
      className="lane-thread"
      aria-label={t('compare.lane', { n: number })}
      // biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls, and must do so by keyboard
      tabIndex={0}
      onScroll={(event) => sync(event.currentTarget)}
    >
      <div ref={inner}>
        {path.length === 0 && <p className="lane-empty">{t('compare.empty')}</p>}
        {path.map((message, i) =>
          message.role === 'user' ? (
            <article key={message.id} className="question" aria-label={t('question.label')}>
              <Attachments files={message.attachments ?? []} />
              <QuestionTexts message={message} />
            </article>
          ) : (
            <AnswerView
              key={message.id}
              chatId={chat.id}
              message={message}
              version={versions.get(message.id) ?? ''}
              isLast={i === path.length - 1}
              eager={i >= path.length - 4}
              bare
            />
          ),
        )}
      </div>
    </div>
  );
}

/** Scrolls the other lanes to the same relative position. */
function useSync(on: boolean): (from: HTMLElement) => void {
  const leader = useRef<HTMLElement | null>(null);
  const release = useRef<ReturnType<typeof setTimeout>>(undefined);
  return (from) => {
    if (!on || (leader.current && leader.current !== from)) return;
    // A scroll caused here must not cause another.
    leader.current = from;
    clearTimeout(release.current);
    release.current = setTimeout(() => {
      leader.current = null;
    }, 120);
    const room = from.scrollHeight - from.clientHeight;
    const share = room > 0 ? from.scrollTop / room : 1;
    for (const lane of from.closest('.lanes')?.querySelectorAll<HTMLElement>('.lane-thread') ??
      []) {
      if (lane !== from) lane.scrollTop = share * (lane.scrollHeight - lane.clientHeight);
    }
  };
}

function changeLanes(id: string, lanes: Lane[]): void {
  changeChat(id, (chat) => ({ ...chat, lanes }));
}

function fillEmptyLanes({ id, lanes = [] }: Conversation): void {
  const models = fillLanes(lanes.map((lane) => lane.model));
  const next = lanes.map((lane, i) => ({ ...lane, model: models[i] ?? '' }));
  if (next.some(({ model }, i) => model !== lanes[i]?.model)) changeLanes(id, next);
}

function nextModel(lanes: Lane[]): string {
  const ready = readyModels(gatewayStore.get().models);
  const unused = ready.find((model) => !lanes.some((lane) => lane.model === model.id));
  return unused?.id ?? lanes[0]?.model ?? '';
}
