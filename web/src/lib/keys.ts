/** The keyboard on lists of cards: j/k and the arrows move, Enter follows the focused link by itself. */

/** Whether a key press belongs to something that wants it for itself. */
export function isTyping(event: KeyboardEvent): boolean {
  const target = event.target as HTMLElement | null;
  const takes = target?.closest('input, select, textarea, video, dialog, [contenteditable], [data-keys]');
  return Boolean(takes) || event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented;
}

export function moveAmongCards(event: KeyboardEvent, list: HTMLElement | undefined): void {
  if (!list || isTyping(event)) return;
  const cards = [...list.querySelectorAll<HTMLElement>('[data-card]')];
  const at = cards.indexOf(document.activeElement as HTMLElement);
  const columns = getComputedStyle(list).gridTemplateColumns.split(' ').length;
  const steps: Record<string, number> = { j: 1, k: -1, ArrowRight: 1, ArrowLeft: -1, ArrowDown: columns, ArrowUp: -columns };
  const step = steps[event.key];
  if (step === undefined || cards.length === 0) return;
  // Outside the list the vertical arrows scroll the page, as everywhere; j and k enter the list.
  if (at < 0 && event.key.startsWith('Arrow')) return;
  const to = at < 0 ? firstInView(cards) : at + step;
  const card = cards[Math.min(Math.max(to, 0), cards.length - 1)];
  if (!card) return;
  event.preventDefault();
  card.focus({ preventScroll: true });
  card.closest('article')?.scrollIntoView({ block: 'nearest' });
}

function firstInView(cards: HTMLElement[]): number {
  const at = cards.findIndex((card) => (card.closest('article') ?? card).getBoundingClientRect().top >= 0);
  return Math.max(at, 0);
}
