import type { Token, Tokens } from 'marked';
import { memo, type ReactNode } from 'react';
import { t } from '../i18n';
import type { Block } from './block';
import { CodeBlock } from './CodeBlock';
import { directionOf } from './direction';
import { Inline } from './inline';
import type { FootnoteDef } from './lex';
import { MathView } from './MathView';
import type { MathToken } from './math-syntax';
import type { LongParagraph } from './paragraph';
import { Table } from './Table';

const DEEP = 24;

interface BlockProps {
  block: Block;
}

export const BlockView = memo(
  function BlockView({ block }: BlockProps) {
    return element(block.token, block.key, block.renderKey !== undefined, 0, block.open);
  },
  (a, b) => sameBlock(a.block, b.block),
);

/** True if both blocks render the same. */
export function sameBlock(a: Block, b: Block): boolean {
  if (a === b) return true;
  if (a.key !== b.key || a.token.type !== b.token.type || a.open !== b.open) return false;
  return (a.renderKey ?? a.raw) === (b.renderKey ?? b.raw);
}

function Blocks({
  tokens,
  complete,
  depth,
}: {
  tokens: Token[];
  complete: boolean;
  depth: number;
}) {
  return tokens.map((token, i) => element(token, i, complete, depth));
}

function element(
  token: Token,
  key: number,
  complete: boolean,
  depth: number,
  open = false,
): ReactNode {
  if (depth > DEEP) return unknown(token, key);
  const inner = (tokens: Token[]) => (
    <Blocks tokens={tokens} complete={complete} depth={depth + 1} />
  );
  switch (token.type) {
    case 'space':
    case 'def':
    case 'checkbox':
      return null;
    case 'heading':
      // One level for all headings: an answer's own levels may skip and start anywhere, and the
      // outline of the page must stay valid. Their styles still differ.
      return (
        <h3 key={key} dir="auto" className={`md-h${Math.min((token as Tokens.Heading).depth, 4)}`}>
          <Inline tokens={token.tokens} />
        </h3>
      );
    case 'paragraph':
      return (
        <p key={key} dir="auto">
          {(token as LongParagraph).parts?.map((part, i) => (
            <Part key={i} tokens={part} />
          ))}
          <Inline tokens={token.tokens} />
        </p>
      );
    case 'text':
      return <Inline key={key} tokens={token.tokens ?? [token]} />;
    case 'code':
      return (
        <CodeBlock
          key={key}
          code={(token as Tokens.Code).text}
          info={(token as Tokens.Code).lang ?? ''}
          open={open}
        />
      );
    case 'blockquote':
      return (
        <blockquote key={key} dir={directionOf(token.raw)}>
          {inner(token.tokens ?? [])}
        </blockquote>
      );
    case 'list':
      return <List key={key} list={token as Tokens.List} complete={complete} depth={depth} />;
    case 'table':
      return <Table key={key} table={token as Tokens.Table} complete={complete} />;
    case 'hr':
      return <hr key={key} />;
    case 'math':
      return (
        <MathView key={key} tex={(token as MathToken).tex} display={(token as MathToken).display} />
      );
    case 'footnoteDef':
      return <Footnote key={key} note={token as FootnoteDef} />;
    case 'html':
      return (
        <p key={key} dir="auto" className="md-html">
          {token.raw.trimEnd()}
        </p>
      );
    default:
      return unknown(token, key);
  }
}

function unknown(token: Token, key: number): ReactNode {
  return (
    <p key={key} dir="auto">
      {token.raw}
    </p>
  );
}

/** Frozen: its tokens never change. */
const Part = memo(function Part({ tokens }: { tokens: Token[] }) {
  return <Inline tokens={tokens} />;
});

interface ListProps {
  list: Tokens.List;
  complete: boolean;
  depth: number;
}

function List({ list, complete, depth }: ListProps) {
  const items = list.items.map((item, i) => (
    <Item key={i} item={item} complete={complete} depth={depth} />
  ));
  // The side of the marks; each item has the direction of its own text by its style.
  const dir = directionOf(list.items[0]?.text ?? '');
  if (!list.ordered) {
    const tasks = list.items.some((item) => item.task);
    return (
      <ul dir={dir} className={tasks ? 'tasks' : undefined}>
        {items}
      </ul>
    );
  }
  const start = list.start === 1 || list.start === '' ? undefined : list.start;
  return (
    <ol dir={dir} start={start}>
      {items}
    </ol>
  );
}

interface ItemProps {
  item: Tokens.ListItem;
  complete: boolean;
  depth: number;
}

const Item = memo(
  function Item({ item, complete, depth }: ItemProps) {
    return (
      <li className={item.task ? 'task' : undefined}>
        {item.task && (
          <input
            type="checkbox"
            checked={item.checked ?? false}
            disabled
            aria-label={item.checked ? t('markdown.taskDone') : t('markdown.taskOpen')}
          />
        )}
        <Blocks tokens={item.tokens} complete={complete} depth={depth + 1} />
      </li>
    );
  },
  (a, b) =>
    a.complete === b.complete &&
    a.item.raw === b.item.raw &&
    a.item.loose === b.item.loose &&
    a.depth === b.depth,
);

function Footnote({ note }: { note: FootnoteDef }) {
  return (
    <div
      className="md-note"
      dir={directionOf(note.tokens.map((token) => token.raw).join(''))}
      data-note={note.label}
      tabIndex={-1}
    >
      <span className="md-notemark">{note.label}</span>
      <div dir="auto">
        <Inline tokens={note.tokens} />
      </div>
    </div>
  );
}
