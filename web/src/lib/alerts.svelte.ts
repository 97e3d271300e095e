/**
 * The list of alerts, kept while one alert is open so that "back" finds it as it was. New alerts wait in `fresh` until
 * the person asks for them; known ones change in place.
 */
import { api, Refused } from './api';
import { eventQuery, type Filter } from './filter';
import { live, throttled } from './live.svelte';
import { now } from './now.svelte';
import type { AlertEvent, EventPage, Refusal } from './types';

const PAGE = 30;
const PEEK_PAUSE_MS = 2000;

class Alerts {
  events: AlertEvent[] = $state.raw([]);
  next: string | null = $state(null);
  state: 'loading' | 'ready' | 'failed' = $state('loading');
  refusals: Refusal[] = $state.raw([]);
  loadingMore = $state(false);
  fresh: AlertEvent[] = $state.raw([]);
  /** There are more fresh ones than one page holds. */
  freshMore = $state(false);
  /** Ids that came by "show the new ones" and were not opened yet. */
  unseen: number[] = $state([]);
  /** The alert opened last: it gets the focus back. */
  opened: number | null = null;
  /** The address of the list as last shown. */
  address = '/';

  #key: string | null = null;
  #query = new URLSearchParams();
  #freshPage: EventPage | null = null;

  readonly peekSoon = throttled(PEEK_PAUSE_MS, () => this.#peek());

  start(): void {
    live.on((kind) => {
      if (kind === 'event' || kind === 'reload') this.peekSoon();
    });
  }

  /** Shows the list for a filter; nothing is read again when it is the one already shown. */
  show(key: string, filter: Filter): void {
    this.address = key;
    if (this.#key === key && this.state === 'ready') this.peekSoon();
    else void this.load(key, filter);
  }

  async load(key: string, filter: Filter): Promise<void> {
    this.#key = key;
    this.#query = eventQuery(filter, now.us, PAGE);
    this.state = 'loading';
    this.#setFresh(null, []);
    this.unseen = [];
    try {
      const page = await api.events(this.#query);
      if (this.#key !== key) return;
      this.events = page.events;
      this.next = page.next;
      this.state = 'ready';
    } catch (error) {
      if (this.#key !== key) return;
      this.events = [];
      this.refusals = error instanceof Refused ? error.refusals : [];
      this.state = 'failed';
    }
  }

  /** The next page; a failure leaves the button to try again. */
  async more(): Promise<boolean> {
    if (this.next === null || this.loadingMore) return true;
    const key = this.#key;
    const query = new URLSearchParams(this.#query);
    query.set('cursor', this.next);
    this.loadingMore = true;
    try {
      const page = await api.events(query);
      if (this.#key !== key) return true;
      const known = new Set(this.events.map((e) => e.id));
      this.events = [...this.events, ...page.events.filter((e) => !known.has(e.id))];
      this.next = page.next;
      return true;
    } catch {
      return false;
    } finally {
      this.loadingMore = false;
    }
  }

  /** Puts the waiting ones on top. */
  showFresh(): void {
    const page = this.#freshPage;
    if (!page) return;
    this.unseen = [...this.fresh.map((e) => e.id), ...this.unseen];
    const got = new Set(page.events.map((e) => e.id));
    const joins = page.events.some((e) => this.events.some((known) => known.id === e.id));
    if (joins || this.events.length === 0 || page.next === null) {
      if (this.events.length === 0) this.next = page.next;
      this.events = [...page.events, ...this.events.filter((e) => !got.has(e.id))];
    } else {
      // More than a page is new: what lies between was never read, so the old pages go.
      this.events = page.events;
      this.next = page.next;
    }
    this.#setFresh(null, []);
  }

  /** Marks one as looked at. */
  open(id: number): void {
    this.opened = id;
    this.unseen = this.unseen.filter((u) => u !== id);
  }

  /** The alerts before and after this one in the list. */
  neighbours(id: number): { newer: AlertEvent | undefined; older: AlertEvent | undefined } {
    const at = this.events.findIndex((e) => e.id === id);
    return at < 0 ? { newer: undefined, older: undefined } : { newer: this.events[at - 1], older: this.events[at + 1] };
  }

  async #peek(): Promise<void> {
    const key = this.#key;
    if (key === null || this.state !== 'ready') return;
    const page = await api.events(this.#query).catch(() => null);
    if (!page || this.#key !== key || this.state !== 'ready') return;
    const got = new Map(page.events.map((e) => [e.id, e]));
    this.events = this.events.map((e) => {
      const newer = got.get(e.id);
      return newer && newer.revision !== e.revision ? newer : e;
    });
    const known = new Set(this.events.map((e) => e.id));
    this.#setFresh(page, page.events.filter((e) => !known.has(e.id)));
  }

  #setFresh(page: EventPage | null, fresh: AlertEvent[]): void {
    this.#freshPage = page;
    this.fresh = fresh;
    this.freshMore = page !== null && fresh.length === page.events.length && page.next !== null;
  }
}

export const alerts = new Alerts();
