/** What is to be done when: a heap of due times in which each key stands once. Times are any one clock's ms. */
export class Agenda {
  readonly #due = new Map<string, number>();
  #heap: { readonly key: string; readonly due: number }[] = [];

  get size(): number {
    return this.#due.size;
  }

  has(key: string): boolean {
    return this.#due.has(key);
  }

  /** Replaces an earlier time of the key. */
  set(key: string, due: number): void {
    this.#due.set(key, due);
    // Replaced entries stay in the heap until they surface; too many of them are thrown out at once.
    if (this.#heap.length > 64 && this.#heap.length > this.#due.size * 4) this.#rebuild();
    else this.#push({ key, due });
  }

  /** Leaves an earlier time as it is. */
  setEarliest(key: string, due: number): void {
    const before = this.#due.get(key);
    if (before === undefined || due < before) this.set(key, due);
  }

  delete(key: string): void {
    this.#due.delete(key);
  }

  /** When the next is due; undefined when nothing stands here. */
  next(): number | undefined {
    for (let top = this.#heap[0]; top !== undefined; top = this.#heap[0]) {
      if (this.#due.get(top.key) === top.due) return top.due;
      this.#pop();
    }
    return undefined;
  }

  /** Takes out what is due, earliest first. */
  take(now: number): string[] {
    const keys: string[] = [];
    for (let due = this.next(); due !== undefined && due <= now; due = this.next()) {
      const { key } = this.#pop();
      this.#due.delete(key);
      keys.push(key);
    }
    return keys;
  }

  #rebuild(): void {
    this.#heap = [];
    for (const [key, due] of this.#due) this.#push({ key, due });
  }

  #push(entry: { readonly key: string; readonly due: number }): void {
    const heap = this.#heap;
    let at = heap.length;
    heap.push(entry);
    while (at > 0) {
      const up = (at - 1) >> 1;
      if (heap[up]!.due <= entry.due) break;
      heap[at] = heap[up]!;
      at = up;
    }
    heap[at] = entry;
  }

  #pop(): { readonly key: string; readonly due: number } {
    const heap = this.#heap;
    const top = heap[0]!;
    const last = heap.pop()!;
    if (heap.length === 0) return top;
    let at = 0;
    while (true) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && heap[child + 1]!.due < heap[child]!.due) child += 1;
      if (heap[child]!.due >= last.due) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = last;
    return top;
  }
}
