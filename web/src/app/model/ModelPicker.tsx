import { useEffect } from 'react';
import { gatewayStore, refreshGateway } from '../../api/gateway';
import { useStore } from '../../store/create-store';
import { Icon } from '../ui/Icon';
import { Popover, usePopover } from '../ui/Popover';
import { keyName, onCommand } from '../view';
import { ModelList } from './lazy-list';

interface Props {
  value: string;
  onPick: (id: string) => void;
  onCompare?: (id: string) => void;
  /** Opens by the shortcut; set on one picker of the page. */
  hotkey?: boolean;
  label?: string;
}

export function ModelPicker({ value, onPick, onCompare, hotkey, label = 'Model' }: Props) {
  const { anchor, open, setOpen, close, toggle } = usePopover();
  const { models, phase } = useStore(gatewayStore);
  const model = models.find((model) => model.id === value);
  const health = model?.health;

  useEffect(() => {
    if (!hotkey) return;
    return onCommand((name) => name === 'models' && setOpen(true));
  }, [hotkey, setOpen]);
  useEffect(() => {
    if (open) void refreshGateway();
  }, [open]);

  const shown = value || (phase === 'loading' ? 'Loading models…' : 'No model');
  return (
    <>
      <button
        ref={anchor}
        type="button"
        className="picker"
        aria-haspopup="listbox"
        aria-expanded={open}
        title={hotkey ? `Choose a model (${keyName('mod+/')})` : 'Choose a model'}
        onClick={toggle}
      >
        {/* Part of the content, so that the accessible name contains the visible text. */}
        <span className="visually-hidden">{label}: </span>
        <span className="picker-name">{shown}</span>
        {health?.tone === 'ok' && <span className="visually-hidden">, {health.word}</span>}
        {health && health.tone !== 'ok' && (
          <span className={`state ${health.tone}`}>{health.word}</span>
        )}
        {value && !model && phase === 'ready' && <span className="state warn">not listed</span>}
        {/* The name of a model is shorter than that of none: the mark would move. */}
        {(value || phase !== 'loading') && <Icon name="down" size={15} />}
      </button>
      {open && (
        <Popover anchor={anchor} onClose={close} label="Models" className="models">
          <ModelList
            value={value}
            onPick={(id) => {
              close();
              onPick(id);
            }}
            {...(onCompare && {
              onCompare: (id: string) => {
                close();
                onCompare(id);
              },
            })}
          />
        </Popover>
      )}
    </>
  );
}
