import './code.css';
import { memo, useEffect, useMemo, useRef, useState } from 'react';
import { saveFile } from '../app/ui/copy';
import { useNear } from '../app/ui/use-near';
import { t } from '../i18n';
import { CopyButton } from './CopyButton';
import { type Chunk, colouredChunks, merge, plainChunks } from './chunks';
import { highlight, MAX_HIGHLIGHT, type Run } from './highlight';
import { fileExtension, languageOf, nameOf } from './languages';

interface Props {
  code: string;
  /** The info string of the fence. */
  info: string;
  /** No closing fence yet. */
  open?: boolean;
}

const EVERY_MS = 250;
/** Highlighting a growing block may use 1/SHARE of the time. */
const SHARE = 12;

export const CodeBlock = memo(function CodeBlock({ code, info, open = false }: Props) {
  const [wrap, setWrap] = useState(false);
  const [box, near] = useNear<HTMLPreElement>();
  const runs = useHighlight(code, languageOf(info), open, near);
  const chunks = useMemo(
    () => (runs ? colouredChunks(merge(runs, code)) : plainChunks(code)),
    [runs, code],
  );
  const shown = nameOf(info) || t('code.text');
  return (
    <div className="md-code" dir="ltr" translate="no">
      <div className="md-bar">
        <span className="md-lang">{shown}</span>
        <button
          type="button"
          className="md-tool"
          aria-pressed={wrap}
          onClick={() => setWrap(!wrap)}
        >
          {t('code.wrap')}
        </button>
        <button
          type="button"
          className="md-tool"
          onClick={() => saveFile(`code.${fileExtension(info)}`, 'text/plain', code)}
        >
          {t('ui.save')}
        </button>
        <CopyButton text={() => code} />
      </div>
      {/* biome-ignore lint/a11y/useSemanticElements: a fieldset is for forms */}
      <pre
        ref={box}
        className={wrap ? 'md-pre wrap' : 'md-pre'}
        // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard
        tabIndex={0}
        role="group"
        aria-label={t('code.label', { language: shown })}
      >
        <code>
          {chunks.map((chunk, i) => (
            <Lines key={i} chunk={chunk} />
          ))}
        </code>
      </pre>
    </div>
  );
});

const Lines = memo(
  function Lines({ chunk }: { chunk: Chunk }) {
    return (
      <span className="md-lines">
        {chunk.runs.map((run, i) =>
          run.kind === '' ? (
            run.text
          ) : (
            <span key={i} className={`hl-${run.kind}`}>
              {run.text}
            </span>
          ),
        )}
      </span>
    );
  },
  (a, b) => a.chunk.id === b.chunk.id,
);

/** Highlights asynchronously, throttled while the block is growing. */
function useHighlight(
  code: string,
  language: string,
  open: boolean,
  near: boolean,
): Run[] | undefined {
  const [runs, setRuns] = useState<Run[] | undefined>(undefined);
  const latest = useRef(code);
  latest.current = code;
  const timer = useRef<ReturnType<typeof setTimeout> | undefined>(undefined);
  const cost = useRef(0);
  const enabled = near && language !== '' && code.length <= MAX_HIGHLIGHT;

  useEffect(() => {
    if (!enabled || (open && timer.current !== undefined)) return;
    const run = async () => {
      timer.current = undefined;
      const text = latest.current;
      const began = performance.now();
      const next = await highlight(text, language);
      cost.current = performance.now() - began;
      // The highlighted text must still be a prefix of the code.
      if (next && latest.current.startsWith(text)) setRuns(next);
    };
    clearTimeout(timer.current);
    timer.current = setTimeout(run, open ? Math.max(EVERY_MS, cost.current * SHARE) : 0);
  }, [enabled, open, language, code]);
  useEffect(() => () => clearTimeout(timer.current), []);

  return useMemo(
    () => (enabled && runs && covers(runs, code) ? runs : undefined),
    [enabled, runs, code],
  );
}

/** Earlier runs are valid only for a prefix of this code. */
function covers(runs: Run[], code: string): boolean {
  let at = 0;
  for (const run of runs) {
    if (at + run.text.length > code.length) return false;
    at += run.text.length;
  }
  const last = runs.at(-1);
  return !last || code.startsWith(last.text, at - last.text.length);
}
