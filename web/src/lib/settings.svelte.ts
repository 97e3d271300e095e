/** What a person chose about the page itself; kept in this browser only. */
import { WORDS, type Lang, type Words } from './words';

export type Theme = 'system' | 'light' | 'dark';

function kept<T extends string>(key: string, allowed: readonly T[], otherwise: T): T {
  try {
    const value = localStorage.getItem(key) as T | null;
    return value && allowed.includes(value) ? value : otherwise;
  } catch {
    return otherwise; // storage refused (private window): the choice lasts as long as the page
  }
}

function keep(key: string, value: string): void {
  try {
    localStorage.setItem(key, value);
  } catch {
    // see `kept`
  }
}

class Settings {
  lang: Lang = $state(kept('lang', ['vi', 'en'], 'vi'));
  theme: Theme = $state(kept('theme', ['system', 'light', 'dark'], 'system'));

  setLang(lang: Lang): void {
    this.lang = lang;
    keep('lang', lang);
    this.apply();
  }

  setTheme(theme: Theme): void {
    this.theme = theme;
    keep('theme', theme);
    this.apply();
  }

  apply(): void {
    document.documentElement.lang = this.lang;
    if (this.theme === 'system') delete document.documentElement.dataset['theme'];
    else document.documentElement.dataset['theme'] = this.theme;
  }
}

export const settings = new Settings();

/** The words of the chosen language; read it inside markup so that a switch redraws. */
export function w(): Words {
  return WORDS[settings.lang];
}

/** The server's sentence in the chosen language. */
export function said(refusal: { vi: string; en: string }): string {
  return refusal[settings.lang] || refusal.vi || refusal.en;
}

/** Who did something, as a person says it: until there are accounts, whoever sits at the machine. */
export function who(actor: string): string {
  return actor === 'local-admin' ? w().keep.localAdmin : actor;
}

/** A sentence as it stands alone: with a capital and a full stop. */
export function sentence(text: string): string {
  const first = text.charAt(0).toLocaleUpperCase(settings.lang) + text.slice(1);
  return /[.!?…]$/.test(first) ? first : `${first}.`;
}
