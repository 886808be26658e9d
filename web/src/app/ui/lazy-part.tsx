import { type FunctionComponent, type ReactNode, useEffect, useState } from 'react';
import { t } from '../../i18n';
import { notify } from '../../store/notices';

type Lazy<P> = FunctionComponent<P> & {
  /** Loads it, ideally before it is needed. */
  prepare: () => Promise<void>;
};

interface Options<P> {
  /** Drawn until it is loaded, and where it cannot be. */
  before?: (props: P) => ReactNode;
  /** What `before` draws is enough: a failure is not worth a notice. */
  quiet?: boolean;
}

/**
 * A part of the page that most visits do not need, so that it is not in the first load. Unlike
 * React's `lazy`, it survives a gateway that is down for a moment: the next use tries again.
 */
export function lazyPart<P extends object>(
  load: () => Promise<FunctionComponent<P>>,
  { before, quiet }: Options<P> = {},
): Lazy<P> {
  let found: FunctionComponent<P> | undefined;
  let loading: Promise<void> | undefined;
  const prepare = () => {
    loading ??= load().then(
      (part) => {
        found = part;
      },
      (error) => {
        loading = undefined;
        throw error;
      },
    );
    return loading;
  };
  function Part(props: P & { onClose?: () => void }) {
    const { onClose } = props;
    const [, redraw] = useState(false);
    useEffect(() => {
      if (found) return;
      let gone = false;
      prepare().then(
        () => gone || redraw(true),
        () => {
          if (gone || quiet) return;
          notify(unreachable());
          // An overlay would count as open.
          onClose?.();
        },
      );
      return () => {
        gone = true;
      };
    }, [onClose]);
    return found ? <Found part={found} props={props} /> : before?.(props);
  }
  return Object.assign(Part, { prepare });
}

export const unreachable = () => t('ui.unreachable');

function Found<P extends object>({ part: Part, props }: { part: FunctionComponent<P>; props: P }) {
  return <Part {...props} />;
}
