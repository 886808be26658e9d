import { useState } from 'react';
import { callId } from '../../api/wire';
import { t } from '../../i18n';
import { sendToolResults } from '../../store/actions';
import type { Message, ToolCall } from '../../store/types';
import { draftOf, keepDraft, readDraft } from '../composer/draft';

interface Props {
  chatId: string;
  answer: Message;
  calls: ToolCall[];
}

/** The page runs no tools: fields for the results, to go on with the conversation. */
export function ToolResults({ chatId, answer, calls }: Props) {
  const key = draftOf(chatId, answer.id);
  const [results, setResults] = useState(() => readResults(key, calls.length));
  const complete = results.every((result) => result.trim() !== '');
  const change = (next: string[]) => {
    setResults(next);
    keepResults(key, next);
  };
  const send = () => {
    keepResults(key, []);
    sendToolResults(
      chatId,
      answer,
      calls.map((call, i) => ({
        id: callId(call, i),
        name: call.name,
        content: results[i] ?? '',
      })),
    );
  };
  return (
    <form
      className="tool-results"
      onSubmit={(event) => {
        event.preventDefault();
        if (complete) send();
      }}
    >
      {calls.map((call, i) => (
        <label key={callId(call, i)} className="label">
          {call.name ? t('tools.resultOf', { name: call.name }) : t('tools.resultOfCall')}
          <textarea
            className="field"
            dir="auto"
            rows={2}
            value={results[i]}
            placeholder={t('tools.returned')}
            onInput={(event) => {
              const text = event.currentTarget.value;
              change(results.map((result, at) => (at === i ? text : result)));
            }}
          />
        </label>
      ))}
      <button type="submit" className="button" disabled={!complete}>
        {t('tools.send', { n: calls.length })}
      </button>
    </form>
  );
}

/** What was typed and not sent, for each call. */
function readResults(key: string, calls: number): string[] {
  let kept: unknown;
  try {
    kept = JSON.parse(readDraft(key).text || '[]');
  } catch {
    // As without a draft.
  }
  const texts = Array.isArray(kept) ? kept : [];
  return Array.from({ length: calls }, (_, i) => (typeof texts[i] === 'string' ? texts[i] : ''));
}

function keepResults(key: string, results: string[]): void {
  const text = results.some(Boolean) ? JSON.stringify(results) : '';
  keepDraft(key, { text, attachments: [] });
}
