import { t } from '../../i18n';
import type { ToolCall } from '../../store/types';
import { CopyButton } from '../ui/CopyButton';
import { Icon } from '../ui/Icon';

/** Tool calls as received. The page runs none. */
export function ToolCards({ calls, streaming }: { calls: ToolCall[]; streaming: boolean }) {
  return (
    <ul className="tools">
      {calls.map((call, i) => {
        const pretty = indent(call.arguments);
        const status = streaming && !pretty ? t('tools.receiving') : t('tools.called');
        return (
          <li key={call.id || i} className="card tool">
            <header>
              <Icon name="tool" size={15} />
              <code dir="ltr" translate="no">
                {call.name || t('tools.unnamed')}
              </code>
              <span className="hint grow">{pretty || streaming ? status : t('tools.notJson')}</span>
              <CopyButton text={() => pretty ?? call.arguments} label={t('tools.copy')} />
            </header>
            {call.arguments && call.arguments !== '{}' && (
              <pre dir="ltr" translate="no">
                {pretty ?? call.arguments}
              </pre>
            )}
          </li>
        );
      })}
    </ul>
  );
}

function indent(json: string): string | undefined {
  try {
    return JSON.stringify(JSON.parse(json), null, 2);
  } catch {
    return undefined;
  }
}
