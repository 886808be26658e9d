import { useMemo } from 'react';
import { gatewayStore } from '../../api/gateway';
import { estimateTokens } from '../../api/metrics';
import { t } from '../../i18n';
import { type Draft, send } from '../../store/actions';
import { useStore } from '../../store/create-store';
import { isTemporary } from '../../store/temporary';
import { pathOf } from '../../store/tree';
import type { Conversation } from '../../store/types';
import { Composer } from '../composer/Composer';
import { useModel } from '../model/use-model';
import { goTo } from '../route';
import { Empty, Intro } from './Empty';
import { KeyCard } from './KeyCard';
import { Setup } from './Setup';
import { Thread } from './Thread';

interface Props {
  id: string | null;
  chat: Conversation | null | undefined;
}

export function ChatPage({ id, chat }: Props) {
  const { phase, models } = useStore(gatewayStore);
  const model = useModel(id);
  const path = useMemo(() => (chat ? pathOf(chat) : []), [chat]);
  const history = useMemo(
    () =>
      path.reduce((n, message) => n + estimateTokens(message.text), 0) +
      estimateTokens(chat?.params.system ?? ''),
    [path, chat?.params.system],
  );
  const isEmpty = path.length === 0;
  const onSend = (draft: Draft) => goTo(send(chat ? id : null, draft));

  if (id && chat === undefined)
    return <main id="main" tabIndex={-1} className="chat" aria-busy="true" />;
  if (id && chat === null) return <NotHere id={id} />;
  const nothingReady = phase === 'ready' && !models.some((model) => model.ready);
  const composer = (
    <Composer
      key={id ?? 'new'}
      chatId={chat ? id : null}
      model={model}
      history={history}
      placeholder={model ? t('chat.messageTo', { model }) : t('chat.message')}
      onSend={onSend}
    />
  );
  if (isEmpty) {
    return (
      <main id="main" tabIndex={-1} className="chat empty">
        <h1 className="visually-hidden">{t('app.newChat')}</h1>
        <div className="empty-page">
          <Intro />
          {phase === 'key' && <KeyCard />}
          {nothingReady ? <Setup models={models} /> : phase !== 'key' && composer}
          <Empty model={model} />
        </div>
      </main>
    );
  }
  return (
    <main id="main" tabIndex={-1} className="chat">
      <h1 className="visually-hidden">{chat?.title || t('chat.conversation')}</h1>
      {chat && <Thread key={chat.id} chat={chat} path={path} />}
      <div className="composer-dock">
        {phase === 'key' ? <KeyCard /> : composer}
        <p className="fine">
          {t('list.sentences', {
            first: t('chat.mistakes'),
            second: id && isTemporary(id) ? t('chat.isTemporary') : t('chat.isKept'),
          })}
        </p>
      </div>
    </main>
  );
}

function NotHere({ id }: { id: string }) {
  const text = isTemporary(id) ? t('chat.wasTemporary') : t('chat.mayBeDeleted');
  return (
    <main id="main" tabIndex={-1} className="chat empty">
      <div className="empty-page">
        <h1 className="empty-title">{t('chat.notHere')}</h1>
        <p className="empty-line">{text}</p>
        <div className="row-centre">
          <button type="button" className="button primary" onClick={() => goTo(null)}>
            {t('app.newChat')}
          </button>
        </div>
      </div>
    </main>
  );
}
