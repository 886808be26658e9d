import type { Token, Tokens } from 'marked';
import type { ReactNode } from 'react';
import { t } from '../i18n';
import { plainText } from './csv';
import { ImageChip } from './ImageChip';
import type { FootnoteRef } from './lex';
import { MathView } from './MathView';
import type { MathToken } from './math-syntax';
import { decodeEntities } from './text';
import { inlineImage, safeHref } from './url';

/** Deeper nesting occurs only in hostile texts, to overflow the stack. */
const DEEP = 32;

interface Props {
  tokens: Token[] | undefined;
  depth?: number;
}

export function Inline({ tokens, depth = 0 }: Props): ReactNode {
  if (!tokens) return null;
  return tokens.map((token, i) => inline(token, i, depth));
}

function inline(token: Token, key: number, depth: number): ReactNode {
  if (depth > DEEP) return token.raw;
  const inner = (tokens: Token[] | undefined) => <Inline tokens={tokens} depth={depth + 1} />;
  switch (token.type) {
    case 'strong':
      return <strong key={key}>{inner(token.tokens)}</strong>;
    case 'em':
      return <em key={key}>{inner(token.tokens)}</em>;
    case 'del':
      return <del key={key}>{inner(token.tokens)}</del>;
    case 'codespan':
      return (
        <code key={key} dir="ltr" translate="no">
          {(token as Tokens.Codespan).text}
        </code>
      );
    case 'checkbox':
      return null;
    case 'br':
      return <br key={key} />;
    case 'link':
      return link(token as Tokens.Link, key, depth);
    case 'image':
      return image(token as Tokens.Image, key);
    case 'math':
      return (
        <MathView key={key} tex={(token as MathToken).tex} display={(token as MathToken).display} />
      );
    case 'footnoteRef':
      return <FootnoteLink key={key} label={(token as FootnoteRef).label} />;
    case 'html':
      // The one HTML tag that models use: a table cell has no other line break.
      return /^<br\s*\/?>$/i.test(token.raw.trim()) ? <br key={key} /> : token.raw;
    case 'escape':
      return (token as Tokens.Escape).text;
    case 'text':
      return token.tokens ? (
        <Inline key={key} tokens={token.tokens} depth={depth + 1} />
      ) : (
        decodeEntities((token as Tokens.Text).text)
      );
    default:
      return token.raw;
  }
}

function link(token: Tokens.Link, key: number, depth: number): ReactNode {
  const href = safeHref(decodeEntities(token.href));
  const inside = <Inline tokens={token.tokens} depth={depth + 1} />;
  if (!href) {
    return (
      <span key={key} className="md-dead" title={t('markdown.deadLink')}>
        {inside}
      </span>
    );
  }
  return (
    <a
      key={key}
      dir="auto"
      href={href}
      target="_blank"
      rel="noopener noreferrer"
      title={token.title ?? href}
    >
      {inside}
    </a>
  );
}

function image(token: Tokens.Image, key: number): ReactNode {
  const alt = plainText(token.tokens) || decodeEntities(token.text);
  const own = inlineImage(token.href);
  if (own) return <img key={key} className="md-img" src={own} alt={alt} />;
  return <ImageChip key={key} href={decodeEntities(token.href)} alt={alt} />;
}

function FootnoteLink({ label }: { label: string }) {
  const go = (event: { currentTarget: Element }) => {
    const notes = event.currentTarget.closest('.md')?.querySelectorAll<HTMLElement>('[data-note]');
    const note = [...(notes ?? [])].find((n) => n.dataset.note === label);
    note?.scrollIntoView({ block: 'nearest' });
    note?.focus();
  };
  return (
    <sup>
      <button
        type="button"
        className="md-noteref"
        onClick={go}
        aria-label={t('markdown.footnote', { label })}
      >
        {label}
      </button>
    </sup>
  );
}
