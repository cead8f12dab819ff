/**
 * One look at what takes long, for all who ask at about the same time: open consoles ask for the same again and again. A look
 * is shared for so long after it began that nobody is told anything older; one that fails is told to those who wait for it, and
 * to nobody after them.
 */
export function sharedLook<T>(
  look: () => Promise<T>,
  withinMs: number,
  clock: () => number = () => performance.now(),
): () => Promise<T> {
  let newest: { readonly begun: number; readonly answer: Promise<T> } | undefined;
  return () => {
    const now = clock();
    if (newest !== undefined && now - newest.begun < withinMs) return newest.answer;
    const mine = { begun: now, answer: look() };
    newest = mine;
    mine.answer.catch(() => {
      if (newest === mine) newest = undefined;
    });
    return mine.answer;
  };
}
