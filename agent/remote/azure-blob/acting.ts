/** `after:` for blobs: the service compares and acts in one step. */
import { setTimeout as delay } from "node:timers/promises";
import { besideName } from "../../source/after.ts";
import type { FileState } from "../../source/state.ts";
import { type Exactly, RemoteError } from "../remote.ts";
import type { Access } from "./access.ts";
import type { Etags } from "./etags.ts";
import { answerOf } from "./failure.ts";

/** How long a copy may take, and how often it is looked at, ms. Within an account it is there at once, mostly. */
export interface CopyTimes {
  readonly most: number;
  readonly every: number;
}

const COPY_TIMES: CopyTimes = { most: 600_000, every: 1_000 };

export function exactlyFor(
  access: Access,
  prefix: string,
  etags: Etags,
  times: CopyTimes = COPY_TIMES,
): Exactly {
  const whole = (path: Buffer): Buffer => Buffer.concat([Buffer.from(prefix), path]);
  const said = (name: Buffer): string => JSON.stringify(String(name));

  /** Its ETag, if it still is in this state. */
  async function tagOf(name: Buffer, state: FileState): Promise<string | undefined> {
    const known = etags.of(state.fileId);
    if (known !== undefined) return known;
    const asked = { what: `looking at ${said(name)}`, right: "r" } as const;
    const { etag } = await access.ask(asked, (place, abortSignal) =>
      place.blob(name).getProperties({ abortSignal }),
    );
    if (etag !== undefined) etags.keep(etag);
    return etags.of(state.fileId);
  }

  /** Never what goes with it: a blob with snapshots is not removed. */
  async function removeIf(name: Buffer, etag: string): Promise<void> {
    await access.ask({ what: `deleting ${said(name)}`, right: "d" }, (place, abortSignal) =>
      place.blob(name).delete({ conditions: { ifMatch: etag }, abortSignal }),
    );
  }

  /** False: something has this name. */
  async function copyTo(from: Buffer, etag: string, to: Buffer, size: number): Promise<string | false> {
    const asked = { what: `copying ${said(from)} to ${said(to)}`, right: "w" } as const;
    const started = await access.ask(asked, async (place, abortSignal) => {
      try {
        // Asked once: a second try would find the first one's copy, and take it for somebody else's.
        await place.once(to).beginCopyFromURL(place.blob(from).url, {
          sourceConditions: { ifMatch: etag },
          conditions: { ifNoneMatch: "*" },
          abortSignal,
        });
        return true;
      } catch (error) {
        if (answerOf(error, 0).code === "BlobAlreadyExists") return false;
        throw error;
      }
    });
    return started && (await copied(asked.what, to, size));
  }

  /** Its ETag, when all of it is there. */
  async function copied(what: string, to: Buffer, size: number): Promise<string> {
    for (const end = Date.now() + times.most; ; await delay(times.every)) {
      const found = await access.ask({ what, right: "r" }, (place, abortSignal) =>
        place.blob(to).getProperties({ abortSignal }),
      );
      const { copyStatus, copyId, etag = "" } = found;
      if (copyStatus === undefined || copyStatus === "success") {
        if (found.contentLength === size) return etag;
        throw new RemoteError("failed", `${what}: ${found.contentLength} of ${size} bytes came`);
      }
      const late = copyStatus === "pending" && Date.now() > end;
      if (copyStatus === "pending" && !late) continue;
      if (late && copyId !== undefined)
        await access.ask({ what, right: "w" }, (place, abortSignal) =>
          place.blob(to).abortCopyFromURL(copyId, { abortSignal }),
        );
      // What is left there is an empty blob. Its ETag is another one since it was given up.
      const rest = await access.ask({ what, right: "r" }, (place, abortSignal) =>
        place.blob(to).getProperties({ abortSignal }),
      );
      if (rest.copyStatus !== "success" && rest.etag !== undefined) await removeIf(to, rest.etag);
      const why = late ? `not done after ${times.most / 1000} s` : `the service gave it up (${copyStatus})`;
      throw new RemoteError("failed", `${what}: ${why}`);
    }
  }

  async function remove(path: Buffer, state: FileState): Promise<boolean> {
    const name = whole(path);
    const etag = await tagOf(name, state);
    if (etag === undefined) return false;
    await removeIf(name, etag);
    return true;
  }

  async function move(path: Buffer, state: FileState, to: Buffer, unique: string): Promise<boolean> {
    const name = whole(path);
    const target = to.subarray(to[0] === 0x2f ? 1 : 0);
    const etag = await tagOf(name, state);
    if (etag === undefined) return false;
    let place = target;
    let copy = await copyTo(name, etag, place, state.size);
    if (copy === false) {
      place = besideName(target, unique);
      copy = await copyTo(name, etag, place, state.size);
    }
    if (copy === false) throw new RemoteError("failed", `moving ${said(name)}: ${said(place)} is taken`);
    try {
      await removeIf(name, etag);
    } catch (error) {
      const failure = error instanceof RemoteError ? error.failure : "away";
      // A newer one has the name by now, or nothing has: what was sealed lies where it belongs.
      if (failure === "changed" || failure === "absent") return true;
      // Nobody may have answered a removal that was done: then the copy is all that there is, and stays.
      if (failure !== "away") await removeIf(place, copy).catch(() => undefined);
      throw error;
    }
    return true;
  }

  const unlessChanged = async (work: Promise<boolean>): Promise<boolean> =>
    await work.catch((error: unknown) => {
      if (error instanceof RemoteError && error.failure === "changed") return false;
      throw error;
    });
  return {
    remove: (path, state) => unlessChanged(remove(path, state)),
    move: (path, state, to, unique) => unlessChanged(move(path, state, to, unique)),
  };
}
