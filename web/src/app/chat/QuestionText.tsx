import { useState } from 'react';
import { t } from '../../i18n';
import type { Message } from '../../store/types';

/** About as many lines as the styles leave of a folded text, and their characters. */
const MANY_LINES = 16;
const MANY_CHARS = 1200;

/** A question, or the results of tool calls in place of one. */
export function QuestionTexts({ message: { text, toolResults = [] } }: { message: Message }) {
  return (
    <>
      {text && <QuestionText text={text} />}
      {toolResults.map((result, i) => (
        <QuestionText key={i} text={`${result.name}: ${result.content}`} />
      ))}
    </>
  );
}

/** As typed; a long text is folded. */
function QuestionText({ text }: { text: string }) {
  const [open, setOpen] = useState(false);
  const isLong = text.length > MANY_CHARS || text.split('\n', MANY_LINES + 1).length > MANY_LINES;
  return (
    <div className="question-text" data-folded={isLong && !open}>
      <div dir="auto">{text}</div>
      {isLong && (
        <button
          type="button"
          className="link"
          aria-expanded={open}
          translate="no"
          onClick={() => setOpen(!open)}
        >
          {open ? t('question.less') : t('question.all')}
        </button>
      )}
    </div>
  );
}
