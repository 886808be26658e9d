import { t } from '../../i18n';
import { notify } from '../../store/notices';

/** The part of the Web Speech API that is used; TypeScript has no types for it. */
interface Recognition {
  continuous: boolean;
  interimResults: boolean;
  lang: string;
  onresult: ((event: { resultIndex: number; results: Results }) => void) | null;
  onend: (() => void) | null;
  onerror: ((event: { error: string }) => void) | null;
  start(): void;
  stop(): void;
}

type Results = ArrayLike<ArrayLike<{ transcript: string }> & { isFinal: boolean }>;

type Api = new () => Recognition;

function api(): Api | undefined {
  const all = globalThis as { SpeechRecognition?: Api; webkitSpeechRecognition?: Api };
  return all.SpeechRecognition ?? all.webkitSpeechRecognition;
}

/** Writes what is said, by the browser's own recognition, until it is stopped. */
export function dictate(onText: (text: string) => void, onEnd: () => void): () => void {
  const Api = api();
  if (!Api) throw new Error('no speech recognition');
  const speech = new Api();
  speech.continuous = true;
  speech.lang = navigator.language;
  speech.onresult = ({ resultIndex, results }) => {
    for (let i = resultIndex; i < results.length; i++) {
      const result = results[i];
      if (result?.isFinal) onText(result[0]?.transcript.trim() ?? '');
    }
  };
  speech.onerror = ({ error }) => {
    if (error === 'not-allowed') notify(t('dictate.denied'));
    else if (error !== 'no-speech' && error !== 'aborted') notify(t('dictate.failed'));
  };
  speech.onend = onEnd;
  speech.start();
  return () => speech.stop();
}
