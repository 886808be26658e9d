import type { Run } from './highlight';

/** Lines per chunk. A change lays out one chunk, not the whole block. */
const LINES = 40;

export interface Chunk {
  /** Equal ids render the same. */
  id: string;
  runs: Run[];
}

/** Splits code into groups of lines, so that a growing block redraws its end only. */
export function plainChunks(code: string): Chunk[] {
  const out: Chunk[] = [];
  let from = 0;
  while (from < code.length || from === 0) {
    let to = from;
    for (let n = 0; n < LINES && to < code.length; n++) {
      const end = code.indexOf('\n', to);
      to = end < 0 ? code.length : end + 1;
    }
    const text = code.slice(from, to);
    out.push({ id: text, runs: [{ kind: '', text }] });
    if (to >= code.length) break;
    from = to;
  }
  return out;
}

/** The same for highlighted code; both split at the same lines. */
export function colouredChunks(runs: Run[]): Chunk[] {
  const out: Chunk[] = [];
  let current: Run[] = [];
  let lines = 0;
  const close = () => {
    out.push({ id: current.map((r) => `${r.kind}\0${r.text}`).join('\0'), runs: current });
    current = [];
    lines = 0;
  };
  for (const { kind, text } of runs) {
    let from = 0;
    for (let nl = text.indexOf('\n'); nl >= 0; nl = text.indexOf('\n', nl + 1)) {
      if (++lines < LINES) continue;
      current.push({ kind, text: text.slice(from, nl + 1) });
      from = nl + 1;
      close();
    }
    if (from < text.length) current.push({ kind, text: text.slice(from) });
  }
  if (current.length > 0 || out.length === 0) close();
  return out;
}

/** Highlighting lags behind growing code: highlighted runs first, the rest plain. */
export function merge(coloured: Run[], code: string): Run[] {
  const length = coloured.reduce((sum, run) => sum + run.text.length, 0);
  return length < code.length ? [...coloured, { kind: '', text: code.slice(length) }] : coloured;
}
