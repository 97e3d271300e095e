/** Names of cameras, also of those that were removed: what they recorded stays. */
import { SvelteMap } from 'svelte/reactivity';
import { api } from './api';
import { cameras } from './cameras.svelte';

class Names {
  #gone = new SvelteMap<number, string>();
  #asked = new Set<number>();

  of(id: number): string {
    return cameras.all.find((camera) => camera.id === id)?.name ?? this.#gone.get(id) ?? `#${id}`;
  }

  /** Asks for the names that are not known. */
  async learn(ids: number[]): Promise<void> {
    for (const id of new Set(ids)) {
      if (this.#asked.has(id) || cameras.all.some((camera) => camera.id === id)) continue;
      this.#asked.add(id);
      const camera = await api.camera(id).catch(() => null);
      if (camera) this.#gone.set(id, camera.name);
    }
  }
}

export const names = new Names();
