import type { Tokens } from 'marked';
import { memo } from 'react';
import { t } from '../i18n';
import { CopyButton } from './CopyButton';
import { tableToCsv } from './csv';
import { directionOf } from './direction';
import { Inline } from './inline';

interface Props {
  table: Tokens.Table;
  /** Link definitions are known, so the same text may render more links. */
  complete: boolean;
}

export function Table({ table, complete }: Props) {
  return (
    <div className="md-table">
      <div className="md-bar">
        <span className="md-lang">{t('markdown.table')}</span>
        <CopyButton label={t('markdown.copyCsv')} text={() => tableToCsv(table)} />
      </div>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard */}
      {/* biome-ignore lint/a11y/useSemanticElements: a fieldset is for forms */}
      <div className="md-scroll" tabIndex={0} role="group" aria-label={t('markdown.tableLabel')}>
        <table dir={directionOf(table.header.map((cell) => cell.text).join(' '))}>
          <thead>
            <Row cells={table.header} complete={complete} head />
          </thead>
          <tbody>
            {table.rows.map((cells, i) => (
              <Row key={i} cells={cells} complete={complete} />
            ))}
          </tbody>
        </table>
      </div>
    </div>
  );
}

interface RowProps {
  cells: Tokens.TableCell[];
  complete: boolean;
  head?: boolean;
}

const Row = memo(
  function Row({ cells, head = false }: RowProps) {
    const Cell = head ? 'th' : 'td';
    return (
      <tr>
        {cells.map((cell, i) => (
          <Cell
            key={i}
            dir="auto"
            className={cell.align ? `to-${cell.align}` : undefined}
            {...(head ? { scope: 'col' } : {})}
          >
            <Inline tokens={cell.tokens} />
          </Cell>
        ))}
      </tr>
    );
  },
  (a, b) => a.complete === b.complete && sameCells(a.cells, b.cells),
);

function sameCells(a: Tokens.TableCell[], b: Tokens.TableCell[]): boolean {
  if (a === b) return true;
  return (
    a.length === b.length &&
    a.every((cell, i) => cell.text === b[i]?.text && cell.align === b[i]?.align)
  );
}
