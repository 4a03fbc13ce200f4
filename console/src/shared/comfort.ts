/** Large type, high contrast and reading aloud: chosen once, kept by the browser. */
import { language, recall, remember } from './language';

export type Comfort = 'large' | 'contrast';

export function comfortOn(which: Comfort): boolean {
  return recall(`yicheng.${which}`) === '1';
}

export function applyComfort(): void {
  for (const which of ['large', 'contrast'] as const)
    document.documentElement.classList.toggle(which, comfortOn(which));
}

export function toggleComfort(which: Comfort): void {
  const on = !document.documentElement.classList.contains(which);
  remember(`yicheng.${which}`, on ? '1' : '');
  document.documentElement.classList.toggle(which, on);
}

export const canSpeak = typeof window !== 'undefined' && 'speechSynthesis' in window;

/** Reads the words aloud; a second call stops. Tells when it has ended. */
export function speak(words: string, ended: () => void): void {
  if (!canSpeak) return;
  const synthesis = window.speechSynthesis;
  if (synthesis.speaking) {
    synthesis.cancel();
    return;
  }
  const utterance = new SpeechSynthesisUtterance(words);
  utterance.lang = /[一-鿿]/.test(words) || language() === 'zh' ? 'zh-CN' : 'en';
  utterance.rate = 0.9;
  utterance.onend = ended;
  utterance.onerror = ended;
  synthesis.speak(utterance);
}
