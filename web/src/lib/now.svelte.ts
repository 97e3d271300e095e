/** The server's clock, so that ages are right on a machine whose own clock is wrong. Ticks once a second. */
class Now {
  #skew_us = 0;
  us: number = $state(Date.now() * 1000);

  constructor() {
    setInterval(() => this.#tick(), 1000);
  }

  #tick(): void {
    this.us = Date.now() * 1000 + this.#skew_us;
  }

  /** Told by each answer that carries the server's time. */
  setServer(now_us: number): void {
    this.#skew_us = now_us - Date.now() * 1000;
    this.#tick();
  }
}

export const now = new Now();
