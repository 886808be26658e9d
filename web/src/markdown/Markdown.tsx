import './prose.css';
import './markdown.css';
import { memo, useMemo, useRef } from 'react';
import { isTranslated } from '../app/translation';
import type { Block } from './block';
import type { MarkdownProps } from './LazyMarkdown';
import { BlockView, sameBlock } from './render';
import { BlockSplitter } from './splitter';

/** Blocks that start within the same span of characters are compared as one. */
const STRETCH = 6000;

export const Markdown = memo(function Markdown({ text, streaming = false }: MarkdownProps) {
  const splitter = useRef<BlockSplitter | null>(null);
  splitter.current ??= new BlockSplitter();
  const split = splitter.current;
  const blocks = useMemo(
    () => (streaming ? split.update(text) : split.finish(text)),
    [split, text, streaming],
  );
  // A translation takes new elements only. Without a value, Preact would leave the "no" in place.
  const drawn = useRef({ streaming, times: 0 }).current;
  if (drawn.streaming && !streaming && isTranslated()) drawn.times++;
  drawn.streaming = streaming;
  return (
    <div
      key={drawn.times}
      className={streaming ? 'md streaming' : 'md'}
      translate={streaming ? 'no' : 'yes'}
    >
      {stretches(blocks).map((group) => (
        <Stretch key={group.key} blocks={group.blocks} />
      ))}
    </div>
  );
});

const Stretch = memo(
  function Stretch({ blocks }: { blocks: Block[] }) {
    return blocks.map((block) => <BlockView key={block.key} block={block} />);
  },
  (a, b) =>
    a.blocks.length === b.blocks.length &&
    a.blocks.every((block, i) => {
      const other = b.blocks[i];
      return other !== undefined && sameBlock(block, other);
    }),
);

function stretches(blocks: Block[]): { key: number; blocks: Block[] }[] {
  const out: { key: number; blocks: Block[] }[] = [];
  for (const block of blocks) {
    const key = Math.floor(block.key / STRETCH);
    const last = out.at(-1);
    if (last?.key === key) last.blocks.push(block);
    else out.push({ key, blocks: [block] });
  }
  return out;
}
