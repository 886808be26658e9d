import './palette.css';
import { t } from '../../i18n';
import { shortcuts } from '../hotkeys';
import { Dialog } from '../ui/Dialog';
import { keyName } from '../view';

const others = (): [string, string][] => [
  ['enter', t('ui.send')],
  ['shift+enter', t('keys.newLine')],
  ['mod+enter', t('keys.alwaysSend')],
  ['↑', t('keys.upArrow')],
  ['Esc', t('keys.escape')],
  ['/', t('keys.slash')],
  ['?', t('keys.question')],
];

export function Shortcuts({ onClose }: { onClose: () => void }) {
  const all: [string, string][] = [
    ...shortcuts.map((shortcut): [string, string] => [
      shortcut.keys.replace('arrowup', '↑').replace('arrowdown', '↓'),
      shortcut.label(),
    ]),
    ...others(),
  ];
  return (
    <Dialog title={t('app.shortcuts')} onClose={onClose} className="shortcuts">
      <dl>
        {all.map(([keys, label]) => (
          <div key={keys}>
            <dt>{label}</dt>
            <dd>
              <kbd>{keyName(keys)}</kbd>
            </dd>
          </div>
        ))}
      </dl>
    </Dialog>
  );
}
