import { speedOf } from '../../api/metrics';
import { t } from '../../i18n';
import type { Lane, Message } from '../../store/types';
import { count, milliseconds, money, speed } from '../format';

export function asTable(lanes: Lane[], latest: (Message | undefined)[]): string {
  const rows = lanes.map((lane, i) => {
    const message = latest[i];
    const metrics = message?.metrics;
    const rate = speedOf(metrics);
    return [
      lane.model,
      message?.provider ?? '',
      metrics?.firstTokenMs === undefined ? '' : milliseconds(metrics.firstTokenMs),
      rate === undefined ? '' : speed(rate),
      metrics?.totalMs === undefined ? '' : milliseconds(metrics.totalMs),
      metrics?.outputTokens === undefined
        ? ''
        : `${count(metrics.inputTokens ?? 0)}→${count(metrics.outputTokens)}`,
      metrics?.cost === undefined ? '' : money(metrics.cost),
      message?.fault ? message.fault.kind : (message?.finish ?? message?.state ?? ''),
    ];
  });
  const head = [
    t('ui.model'),
    t('error.provider'),
    t('timing.first'),
    t('timing.speed'),
    t('timing.total'),
    t('table.tokens'),
    t('table.cost'),
    t('table.end'),
  ];
  const line = (cells: string[]) =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}
