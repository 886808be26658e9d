import './palette.css';
import { shortcuts } from '../hotkeys';
import { Dialog } from '../ui/Dialog';
import { keyName } from '../view';

const OTHERS: [string, string][] = [
  ['enter', 'Send'],
  ['shift+enter', 'New line'],
  ['mod+enter', 'Always send'],
  ['↑', 'In an empty field: edit your last message'],
  ['Esc', 'Stop the answer, close what is open'],
  ['/', 'Go to the message field'],
  ['?', 'Show shortcuts'],
];

export function Shortcuts({ onClose }: { onClose: () => void }) {
  const all: [string, string][] = [
    ...shortcuts.map((shortcut): [string, string] => [
      shortcut.keys.replace('arrowup', '↑').replace('arrowdown', '↓'),
      shortcut.label,
    ]),
    ...OTHERS,
  ];
  return (
    <Dialog title="Keyboard shortcuts" onClose={onClose} className="shortcuts">
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
