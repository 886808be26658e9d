import { type FunctionComponent, useEffect, useState } from 'react';
import { loadModule } from '../load-module';

export interface MarkdownProps {
  text: string;
  /** Still growing: only the end is lexed again, and open marks are closed. */
  streaming?: boolean;
}

type View = FunctionComponent<MarkdownProps>;

let loaded: View | undefined;
let loading: Promise<View> | undefined;

/** Loads the renderer, ideally before the first answer needs it. */
export function loadMarkdown(): Promise<View> {
  loading ??= loadModule(() => import('./Markdown')).then(
    (module) => {
      loaded = module.Markdown as View;
      return loaded;
    },
    (error) => {
      // The gateway may be down for a moment; the next message retries.
      loading = undefined;
      throw error;
    },
  );
  return loading;
}

/** Rendered Markdown; plain text until the renderer is loaded. */
export function Markdown(props: MarkdownProps) {
  const [Found, setFound] = useState<View | undefined>(() => loaded);
  useEffect(() => {
    let live = true;
    if (!Found) {
      loadMarkdown().then(
        (view) => live && setFound(() => view),
        () => {},
      );
    }
    return () => {
      live = false;
    };
  }, [Found]);
  if (Found) return <Found {...props} />;
  return (
    <div className="md as-text" dir="auto" translate={props.streaming ? 'no' : 'yes'}>
      {props.text}
    </div>
  );
}

// The first interaction loads the renderer, so that it is there before the first token.
if (typeof document !== 'undefined') {
  const prepare = () => void loadMarkdown().catch(() => {});
  document.addEventListener('keydown', prepare, { once: true });
  document.addEventListener('pointerdown', prepare, { once: true });
}
