import { t } from '../../i18n';
import { loadModule } from '../../load-module';
import { useStore } from '../../store/create-store';
import { changeSettings, settingsStore } from '../../store/settings';
import { changeChat } from '../../store/storage/chats';
import type { Params, Preset } from '../../store/types';
import { useChat } from '../../store/use-chat';
import { Icon } from '../ui/Icon';
import { lazyPart } from '../ui/lazy-part';
import { Popover, usePopover } from '../ui/Popover';

const ParamsForm = lazyPart(() =>
  loadModule(() => import('./ParamsForm')).then((m) => m.ParamsForm),
);

/** System prompt and sampling parameters, of this conversation or of new ones. */
export function ParamsButton({ chatId }: { chatId: string | null }) {
  const { anchor, open, close, toggle } = usePopover();
  const settings = useStore(settingsStore);
  const chat = useChat(chatId);
  const params = chat?.params ?? settings.params;
  const set = (next: Params) => {
    if (chatId) changeChat(chatId, (now) => ({ ...now, params: next }));
    else changeSettings({ params: next });
  };
  const apply = (preset: Preset) => {
    if (chatId) {
      changeChat(chatId, (now) => ({
        ...now,
        params: preset.params,
        model: preset.model || now.model,
      }));
    } else {
      changeSettings({ params: preset.params, ...(preset.model && { model: preset.model }) });
    }
  };
  const active = Object.values(params).some((value) => value !== undefined && value !== '');
  return (
    <>
      <button
        ref={anchor}
        type="button"
        className="icon-button"
        data-on={active}
        aria-label={active ? t('params.set') : t('params.label')}
        title={t('params.label')}
        aria-haspopup="dialog"
        aria-expanded={open}
        onClick={toggle}
      >
        <Icon name="sliders" />
      </button>
      {open && (
        <Popover anchor={anchor} onClose={close} label={t('params.label')} className="params">
          <ParamsForm presets={settings.presets} params={params} onApply={apply} onChange={set} />
          <p className="hint">{chatId ? t('params.forThis') : t('params.forNew')}</p>
        </Popover>
      )}
    </>
  );
}
