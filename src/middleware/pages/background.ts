import { EXIT } from './output.ts';

/** A promise that knows whether anybody waits for it. */
class Observed<T> extends Promise<T> {
  static override get [Symbol.species]() {
    return Promise;
  }

  isObserved = false;

  // biome-ignore lint/suspicious/noThenProperty: a promise has it
  override then<A = T, B = never>(
    onFulfilled?: ((value: T) => A | PromiseLike<A>) | null,
    onRejected?: ((reason: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    this.isObserved = true;
    return super.then(onFulfilled, onRejected);
  }

  /** Without observing it. */
  settled(onSettled: (succeeded: boolean) => void): void {
    super.then(
      () => onSettled(true),
      () => onSettled(false),
    );
  }
}

/** What a page has begun and may not wait for: its end does, and fails with what nobody else was told. */
export class Background {
  #begun: Set<Observed<unknown>> | undefined;

  add<T>(work: Promise<T>): Promise<T> {
    const observed = new Observed<T>((resolve, reject) => work.then(resolve, reject));
    this.#begun ??= new Set();
    const begun = this.#begun;
    begun.add(observed);
    observed.settled((succeeded) => {
      if (succeeded) begun.delete(observed);
    });
    return observed;
  }

  /** Whether there is something to wait for. */
  get isBusy(): boolean {
    return this.#begun !== undefined;
  }

  /** Also of what is added meanwhile. That something of it has ended the page is no failure. */
  async end(): Promise<void> {
    for (const one of this.#begun ?? []) {
      const { isObserved } = one;
      try {
        await one;
      } catch (error) {
        if (!isObserved && error !== EXIT) throw error;
      }
    }
  }
}
