/** Taking a camera or a rule away, each with its way back. */
import { api } from './api';
import { cameras } from './cameras.svelte';
import { rules } from './rules.svelte';
import { w } from './settings.svelte';
import { toasts } from './toasts.svelte';
import type { Camera, Rule } from './types';

export function removeCamera(camera: Camera): void {
  toasts.remove({
    name: camera.name,
    note: w().removedCameraNote,
    hide: () => cameras.hidden.push(camera.id),
    show: () => (cameras.hidden = cameras.hidden.filter((id) => id !== camera.id)),
    send: async (leaving) => {
      await api.removeCamera(camera.id, leaving);
      cameras.refresh();
    },
  });
}

export function removeRule(rule: Rule): void {
  toasts.remove({
    name: rule.name,
    hide: () => rules.hidden.push(rule.id),
    show: () => (rules.hidden = rules.hidden.filter((id) => id !== rule.id)),
    send: async (leaving) => {
      await api.removeRule(rule.id, leaving);
      rules.refresh();
    },
  });
}
