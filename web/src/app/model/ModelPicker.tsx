import { useEffect } from 'react';
import { gatewayStore, refreshGateway } from '../../api/gateway';
import { t } from '../../i18n';
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

export function ModelPicker({ value, onPick, onCompare, hotkey, label = t('ui.model') }: Props) {
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

  const shown = value || (phase === 'loading' ? t('models.loading') : t('models.noModel'));
  return (
    <>
      <button
        ref={anchor}
        type="button"
        className="picker"
        aria-haspopup="listbox"
        aria-expanded={open}
        title={hotkey ? t('models.chooseKeys', { keys: keyName('mod+/') }) : t('models.choose')}
        onClick={toggle}
      >
        {/* Part of the content, so that the accessible name contains the visible text. */}
        <span className="visually-hidden">{label}: </span>
        {/* Another element for the name: from right to left, the text before it would move. */}
        <span key={value ? 'name' : 'none'} className={value ? 'picker-name ltr' : 'picker-name'}>
          {shown}
        </span>
        {health?.tone === 'ok' && <span className="visually-hidden">, {health.word}</span>}
        {health && health.tone !== 'ok' && (
          <span className={`state ${health.tone}`}>{health.word}</span>
        )}
        {value && !model && phase === 'ready' && (
          <span className="state warn">{t('models.notListed')}</span>
        )}
        {/* The name of a model is shorter than that of none: the mark would move. */}
        {(value || phase !== 'loading') && <Icon name="down" size={15} />}
      </button>
      {open && (
        <Popover anchor={anchor} onClose={close} label={t('ui.models')} className="models">
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
