import { useState } from 'react';
import { callId } from '../../api/wire';
import { sendToolResults } from '../../store/actions';
import type { Message, ToolCall } from '../../store/types';

interface Props {
  chatId: string;
  answer: Message;
  calls: ToolCall[];
}

/** The page runs no tools: fields for the results, to go on with the conversation. */
export function ToolResults({ chatId, answer, calls }: Props) {
  const [results, setResults] = useState<string[]>(() => calls.map(() => ''));
  const complete = results.every((result) => result.trim() !== '');
  const send = () =>
    sendToolResults(
      chatId,
      answer,
      calls.map((call, i) => ({
        id: callId(call, i),
        name: call.name,
        content: results[i] ?? '',
      })),
    );
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
          Result of {call.name || 'the call'}
          <textarea
            className="field"
            dir="auto"
            rows={2}
            value={results[i]}
            placeholder="What the tool returned"
            onInput={(event) => {
              const text = event.currentTarget.value;
              setResults((all) => all.map((result, at) => (at === i ? text : result)));
            }}
          />
        </label>
      ))}
      <button type="submit" className="button" disabled={!complete}>
        {calls.length === 1 ? 'Send the result' : 'Send the results'}
      </button>
    </form>
  );
}
