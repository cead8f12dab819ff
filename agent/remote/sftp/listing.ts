/** The names in one folder, a portion for each packet: several are asked for at once, and no more than are taken. */
import { displayPath } from "@tributary/shared/path.ts";
import { join } from "../../source/bytes.ts";
import { type Entry, RemoteError } from "../remote.ts";
import type { Name } from "./answers.ts";
import { entryOf, isDots, isName, kindOf } from "./entry.ts";
import { type Open, rootAway } from "./line.ts";
import { doing, failureOf, Refused } from "./refused.ts";
import { requireNoLinks } from "./way.ts";

/** Packets of names on their way at once; OpenSSH puts 100 names into one. */
const AT_ONCE = 8;
/** Names in a row of packets that have none. A server that ends a listing so would never end it. */
const EMPTY = 1_000;

export async function* listing(
  open: Open,
  folder: Buffer,
  signal: AbortSignal,
): AsyncGenerator<readonly Entry[]> {
  const { session, root } = open;
  const at = folder.length === 0 ? root : join(root, folder);
  const handle = await openedFolder(open, at, folder);
  try {
    let ended = false;
    let empty = 0;
    const asked: Promise<readonly Name[] | undefined>[] = [];
    while (!ended || asked.length > 0) {
      signal.throwIfAborted();
      while (!ended && asked.length < AT_ONCE) {
        const answer = session.readFolder(handle);
        // It may come after this listing was given up.
        answer.catch(() => undefined);
        asked.push(answer);
      }
      const names = await doing("list", folder, asked.shift() as Promise<readonly Name[] | undefined>);
      if (names === undefined) ended = true;
      empty = names?.length === 0 ? empty + 1 : 0;
      if (empty > EMPTY)
        throw new RemoteError(
          "failed",
          `cannot list ${displayPath(at)}: the server answers without names, and never ends`,
        );
      const entries = await entriesOf(open, at, names ?? []);
      if (entries.length > 0) yield entries;
    }
  } catch (error) {
    throw folder.length === 0 ? rootAway(error) : error;
  } finally {
    session.close(handle).catch(() => undefined);
  }
}

/** Asked at once; the folder is closed again when it is not what its path says. */
async function openedFolder(open: Open, at: Buffer, folder: Buffer): Promise<Buffer> {
  const [way, handle] = await Promise.allSettled([
    requireNoLinks(open, folder),
    doing("list", folder, open.session.openFolder(at)),
  ]);
  if (way.status === "rejected") {
    if (handle.status === "fulfilled") open.session.close(handle.value).catch(() => undefined);
    throw way.reason;
  }
  if (handle.status === "rejected") throw folder.length === 0 ? rootAway(handle.reason) : handle.reason;
  return handle.value;
}

async function entriesOf(open: Open, at: Buffer, names: readonly Name[]): Promise<Entry[]> {
  const wanted = names.filter(({ name }) => !isDots(name));
  return (await Promise.all(wanted.map((one) => entry(open, at, one)))).filter((one) => one !== undefined);
}

/** Undefined: it is gone by now. */
async function entry({ session }: Open, at: Buffer, { name, attributes }: Name): Promise<Entry | undefined> {
  if (!isName(name)) return { kind: "refused", name, reason: "no file of a folder can have this name" };
  if (kindOf(attributes) !== undefined && attributes.size !== undefined && attributes.modified !== undefined)
    return entryOf(name, attributes);
  try {
    return entryOf(name, await session.lstat(join(at, name)));
  } catch (error) {
    const failure = failureOf(error, "look at", name);
    if (!(error instanceof Refused) || !(failure instanceof RemoteError) || failure.failure === "away")
      throw failure;
    return failure.failure === "absent" ? undefined : { kind: "refused", name, reason: failure.message };
  }
}
