const OPENERS = ['<think>', '<thinking>', '<thought>'];

/**
 * Splits `<think>…</think>` at the start of an answer from its text, also if a tag spans chunks.
 * Only at the start: an answer that explains the tag further down must keep it.
 */
export class ThinkSplitter {
  private mode: 'start' | 'think' | 'answer' = 'start';
  private held = '';
  private closer = '';
  private trim = false;

  push(text: string): { content: string; reasoning: string } {
    const out = { content: '', reasoning: '' };
    this.held += text;
    if (this.mode === 'start') this.start();
    if (this.mode === 'think') out.reasoning = this.think();
    if (this.mode === 'answer') out.content = this.answer();
    return out;
  }

  /** The text held back because it may be a partial tag. */
  end(): { content: string; reasoning: string } {
    const held = this.held;
    this.held = '';
    return this.mode === 'think'
      ? { content: '', reasoning: held }
      : { content: held, reasoning: '' };
  }

  private start(): void {
    const text = this.held.trimStart();
    if (text === '') return;
    const opener = OPENERS.find((o) => text.startsWith(o));
    if (opener) {
      this.mode = 'think';
      this.closer = `</${opener.slice(1)}`;
      this.held = text.slice(opener.length);
      this.trim = true;
    } else if (!OPENERS.some((o) => o.startsWith(text))) {
      this.mode = 'answer';
    }
  }

  private think(): string {
    this.trimHeld();
    const at = this.held.indexOf(this.closer);
    if (at >= 0) {
      const thought = this.held.slice(0, at);
      this.held = this.held.slice(at + this.closer.length);
      this.mode = 'answer';
      this.trim = true;
      return thought.trimEnd();
    }
    const keep = overlap(this.held, this.closer);
    const thought = this.held.slice(0, this.held.length - keep);
    this.held = this.held.slice(this.held.length - keep);
    return thought;
  }

  private answer(): string {
    this.trimHeld();
    const text = this.held;
    this.held = '';
    return text;
  }

  /** Line breaks around the tags are dropped. */
  private trimHeld(): void {
    if (!this.trim) return;
    this.held = this.held.trimStart();
    if (this.held !== '') this.trim = false;
  }
}

/** Length of the longest suffix of `text` that is a prefix of `tag`. */
function overlap(text: string, tag: string): number {
  for (let n = Math.min(text.length, tag.length - 1); n > 0; n--) {
    if (tag.startsWith(text.slice(text.length - n))) return n;
  }
  return 0;
}
