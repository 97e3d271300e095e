/** The alert rules, read anew when the configuration changes. */
import { api } from './api';
import { live, throttled } from './live.svelte';
import type { Camera, Rule } from './types';

class Rules {
  all: Rule[] = $state.raw([]);
  state: 'loading' | 'ready' | 'failed' = $state('loading');
  hidden: number[] = $state([]);

  readonly refresh = throttled(500, () => this.#load());

  /** While a page shows rules; returns how to stop. */
  watch(): () => void {
    this.refresh();
    return live.on((kind) => {
      if (kind === 'config' || kind === 'reload') this.refresh();
    });
  }

  /** Those that look at the camera: its own and those for every camera. */
  of(camera: Camera): Rule[] {
    return this.all.filter((rule) => !this.hidden.includes(rule.id) && (rule.camera ? rule.camera === camera.code : true));
  }

  put(rule: Rule): void {
    const known = this.all.some((r) => r.id === rule.id);
    this.all = known ? this.all.map((r) => (r.id === rule.id ? rule : r)) : [...this.all, rule];
  }

  async #load(): Promise<void> {
    try {
      this.all = await api.rules();
      this.state = 'ready';
    } catch {
      if (this.state === 'loading') this.state = 'failed';
    }
  }
}

export const rules = new Rules();
