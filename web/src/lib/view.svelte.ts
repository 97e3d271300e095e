/** Whether anybody can see this tab. A tab that nobody sees keeps no film and no live view open. */

/** Looking something up in another tab for a moment is not leaving. */
const PATIENCE_MS = 5000;

class View {
  /** Out of sight for a while. */
  away: boolean = $state(false);
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor() {
    document.addEventListener('visibilitychange', () => {
      clearTimeout(this.#timer);
      if (document.hidden) this.#timer = setTimeout(() => (this.away = true), PATIENCE_MS);
      else this.away = false;
    });
  }
}

export const view = new View();

/** Lets go of what a player has open: an element that only leaves the page keeps its connection. */
export function release(video: HTMLVideoElement): void {
  video.removeAttribute('src');
  video.load();
}
