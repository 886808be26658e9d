import { t } from '../i18n';
import { amountText } from './text';

interface Props {
  label: string;
  of: string;
  limit: number;
  used: number;
}

/** Share from which the bar warns. */
const HIGH = 0.8;

/** What is used of a limit, as a thin bar. The figures beside it say the same. */
export function Bar({ label, of, limit, used }: Props) {
  const share = limit > 0 ? Math.min(1, Math.max(0, used / limit)) : 1;
  const tone = share >= 1 ? 'full' : share >= HIGH ? 'high' : undefined;
  return (
    // biome-ignore lint/a11y/useSemanticElements: Chromium draws a meter of this height by half
    <div
      className="limit-bar"
      role="meter"
      data-tone={tone}
      aria-label={label}
      aria-valuemin={0}
      aria-valuemax={1}
      aria-valuenow={share}
      aria-valuetext={t('limits.usedOf', {
        used: amountText(of, used),
        limit: amountText(of, limit),
      })}
    >
      <svg className="mirrored" viewBox="0 0 1 1" preserveAspectRatio="none" aria-hidden="true">
        <rect width={share} height={1} />
      </svg>
    </div>
  );
}
