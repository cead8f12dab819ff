/** Every folder of a source, a folder before what is in it: memory holds only the folders still to come. */
import type { Listing } from "./source.ts";

export async function* walk(
  list: (folder: Buffer) => Promise<Listing>,
  from: Buffer,
  signal: AbortSignal,
): AsyncGenerator<Listing> {
  const waiting = [from];
  for (let folder = waiting.pop(); folder !== undefined && !signal.aborted; folder = waiting.pop()) {
    const listing = await list(folder);
    yield listing;
    // One by one: a spread of 100,000 folders would overflow the call stack.
    for (let i = listing.folders.length - 1; i >= 0; i -= 1) waiting.push(listing.folders[i] as Buffer);
  }
}
