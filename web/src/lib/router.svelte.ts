/** Addresses of the page: history routing, scroll kept per entry, links caught at the document. */
import { tick } from 'svelte';

interface Entry {
  /** Where the page was scrolled to when it was left. */
  y: number;
  /** How many steps inside this app lead back from here; 0: the app was entered here. */
  depth: number;
}

function entry(): Entry {
  const state = history.state as Partial<Entry> | null;
  return { y: state?.y ?? 0, depth: state?.depth ?? 0 };
}

class Router {
  path: string = $state(location.pathname);
  query: URLSearchParams = $state.raw(new URLSearchParams(location.search));

  start(): void {
    history.scrollRestoration = 'manual';
    history.replaceState(entry(), '');
    addEventListener('popstate', () => void this.#show(entry().y));
    document.addEventListener('click', (click) => this.#follow(click));
  }

  go(to: string, how: { replace?: boolean; keepScroll?: boolean } = {}): void {
    const here = { ...entry(), y: scrollY };
    if (how.replace) {
      history.replaceState(here, '', to);
    } else {
      history.replaceState(here, '');
      history.pushState({ y: 0, depth: here.depth + 1 }, '', to);
    }
    void this.#show(how.keepScroll ? scrollY : 0);
  }

  /** Back to where the person came from, or to `otherwise` when the app was entered here. */
  back(otherwise: string): void {
    if (entry().depth > 0) history.back();
    else this.go(otherwise);
  }

  async #show(y: number): Promise<void> {
    this.path = location.pathname;
    this.query = new URLSearchParams(location.search);
    await tick();
    scrollTo(0, y);
  }

  #follow(click: MouseEvent): void {
    const plain = click.button === 0 && !click.metaKey && !click.ctrlKey && !click.shiftKey && !click.altKey;
    const link = (click.target as Element | null)?.closest?.('a');
    if (!plain || click.defaultPrevented || !link || link.target || link.hasAttribute('download')) return;
    const address = new URL(link.href, location.href);
    if (address.origin !== location.origin || address.pathname.startsWith('/api/')) return;
    if (address.hash && address.pathname === location.pathname) return;
    click.preventDefault();
    this.go(address.pathname + address.search);
  }
}

export const router = new Router();

export type Page =
  | { name: 'alerts' }
  | { name: 'alert'; id: number }
  | { name: 'incidents' }
  | { name: 'tracks' }
  | { name: 'search' }
  | { name: 'routes' }
  | { name: 'route'; id: number }
  | { name: 'plan' }
  | { name: 'live' }
  | { name: 'playback'; id: number | null }
  | { name: 'cameras' }
  | { name: 'camera-new' }
  | { name: 'camera'; id: number }
  | { name: 'camera-edit'; id: number }
  | { name: 'storage' | 'gaps' | 'locks' | 'planned' }
  | { name: 'accounts' | 'account' | 'audit' | 'setup' }
  | { name: 'unknown' };

export function pageOf(path: string): Page {
  const part = path.split('/').filter(Boolean);
  const id = /^\d{1,15}$/.test(part[1] ?? '') ? Number(part[1]) : null;
  if (part.length === 0 || (part.length === 1 && part[0] === 'alerts')) return { name: 'alerts' };
  if (part[0] === 'alerts' && id !== null && part.length === 2) return { name: 'alert', id };
  if (part[0] === 'incidents' && part.length === 1) return { name: 'incidents' };
  if (part[0] === 'tracks' && part.length === 1) return { name: 'tracks' };
  if (part[0] === 'search' && part.length === 1) return { name: 'search' };
  if (part[0] === 'routes' && part.length === 1) return { name: 'routes' };
  if (part[0] === 'routes' && id !== null && part.length === 2) return { name: 'route', id };
  if (part[0] === 'plan' && part.length === 1) return { name: 'plan' };
  if (part[0] === 'live' && part.length === 1) return { name: 'live' };
  if (part[0] === 'playback' && (part.length === 1 || (id !== null && part.length === 2))) return { name: 'playback', id };
  if (part[0] === 'cameras') {
    if (part.length === 1) return { name: 'cameras' };
    if (part[1] === 'new' && part.length === 2) return { name: 'camera-new' };
    if (id !== null && part.length === 2) return { name: 'camera', id };
    if (id !== null && part.length === 3 && part[2] === 'edit') return { name: 'camera-edit', id };
  }
  if (part[0] === 'storage' && part.length === 1) return { name: 'storage' };
  if (part[0] === 'storage' && part.length === 2) {
    const name = (['gaps', 'locks', 'planned'] as const).find((name) => name === part[1]);
    if (name) return { name };
  }
  if (part.length === 1) {
    const name = (['accounts', 'account', 'audit', 'setup'] as const).find((name) => name === part[0]);
    if (name) return { name };
  }
  return { name: 'unknown' };
}
