import type { Tokens } from 'marked';

/** A fenced code block without its closing fence. Its text is scanned, never lexed. */
export class OpenFence {
  private scanned: number;

  private constructor(
    private readonly start: number,
    private readonly body: number,
    private readonly closer: RegExp,
    private readonly lang: string,
  ) {
    this.scanned = body - 1;
  }

  /** The open fence of a code block at `start`; undefined if it is closed or indented code. */
  static of(raw: string, start: number): OpenFence | undefined {
    const m = /^ {0,3}(`{3,}|~{3,})([^\n]*)\n/.exec(raw);
    if (!m) return undefined;
    const mark = m[1] ?? '```';
    const closer = new RegExp(`(?:^|\\n) {0,3}${mark[0]}{${mark.length},}[ \\t]*(?=\\n)`, 'g');
    closer.lastIndex = raw.indexOf('\n');
    if (closer.test(`${raw}\n`)) return undefined;
    return new OpenFence(start, start + m[0].length, closer, (m[2] ?? '').trim());
  }

  /** Offset after the closing fence; undefined while there is none. */
  end(source: string): number | undefined {
    // The closing fence may have arrived in part: scan from the start of a line.
    this.closer.lastIndex = this.scanned;
    const close = this.closer.exec(source);
    if (close) return close.index + close[0].length;
    this.scanned = Math.max(this.body - 1, source.lastIndexOf('\n'));
    return undefined;
  }

  /** The code so far, without a closing fence that has arrived in part. */
  token(source: string): Tokens.Code {
    const raw = source.slice(this.start);
    const text = source.slice(this.body).replace(/\n[ \t]*(?:`{1,}|~{1,})?$/, '');
    return { type: 'code', raw, lang: this.lang, text };
  }
}
