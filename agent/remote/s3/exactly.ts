/**
 * `after:` in a bucket. The server compares where it can (Amazon and newer Cephs delete only what still has this ETag;
 * others take the condition and ignore it); that it can is not relied on: the object is looked at before, and a copy
 * is compared after. What remains elsewhere is the moment between the look and the act; where the bucket keeps
 * versions, nothing is lost even then.
 */

import { besideName } from "../../source/after.ts";
import { SLASH } from "../../source/bytes.ts";
import { sameState } from "../../source/same-state.ts";
import type { FileState } from "../../source/state.ts";
import { type Exactly, RemoteError } from "../remote.ts";
import type { Bucket } from "./bucket.ts";
import { copyObject, isNotImplemented } from "./copy.ts";
import { shown } from "./failure.ts";
import { gone, type Head, head } from "./head.ts";
import { DeleteObjectCommand } from "./library.ts";
import { keyOf } from "./names.ts";
import { quoted } from "./state.ts";

/** `versioned`: whether versions count, asked once. `pieces`: as `copyObject`. */
export function exactlyIn(
  bucket: Bucket,
  versioned: () => Promise<boolean>,
  pieces?: { readonly single: number; readonly piece: number },
): Exactly {
  /** The object, if it is what was sealed. */
  async function still(key: string, state: FileState): Promise<Head | undefined> {
    const now = await head(bucket, key, await versioned());
    if (now === undefined) throw await gone(bucket, key);
    return sameState(now.state, state) ? now : undefined;
  }

  async function at(key: string): Promise<Head | undefined> {
    const there = await head(bucket, key, false);
    if (there === undefined) await bucket.any(bucket.prefix);
    return there;
  }

  /** Without an id: where versions are kept this adds an end, and takes nothing away. */
  async function drop(key: string, now: Head): Promise<void> {
    const ask = (condition: { readonly IfMatch?: string }) =>
      bucket.ask({ doing: "remove", key }, (client) =>
        client.send(new DeleteObjectCommand({ ...bucket.at(key), ...condition })),
      );
    await ask({ IfMatch: quoted(now.tag) }).catch(async (error: unknown) => {
      if (!isNotImplemented(error)) throw error;
      await ask({});
    });
  }

  return {
    keeps: versioned,

    async remove(path, state) {
      const key = keyFor(bucket.prefix, path);
      const now = await still(key, state);
      if (now === undefined) return false;
      await drop(key, now);
      return true;
    },

    async move(path, state, to, unique) {
      const key = keyFor(bucket.prefix, path);
      const now = await still(key, state);
      if (now === undefined) return false;
      const whole = to.at(0) === SLASH ? to.subarray(1) : to;
      for (const target of [keyFor("", whole), besideKey(whole, unique)]) {
        const there = await at(target);
        // A try that was cut short after the copy: these very bytes are there.
        if (there !== undefined && there.tag.etag === now.tag.etag && target !== key)
          return await finish(key, now, state, undefined);
        if (there !== undefined) continue;
        try {
          await copyObject(bucket, key, now, target, pieces);
        } catch (error) {
          if (!(error instanceof RemoteError) || error.failure !== "changed") throw error;
          // The one condition or the other: who changed the source, or who took the name.
          if ((await still(key, state)) === undefined) return false;
          continue;
        }
        const copy = await at(target);
        if (copy?.state.size !== state.size)
          throw new RemoteError(
            "failed",
            `the copy ${shown(target)} is not what was copied; the original stays`,
          );
        return await finish(key, now, state, { target, copy });
      }
      throw new RemoteError("failed", `${shown(whole.toString())} is taken, and the name beside it too`);
    },
  };

  /** The copy that was made stays only where the original goes. */
  async function finish(
    key: string,
    now: Head,
    state: FileState,
    made: { readonly target: string; readonly copy: Head } | undefined,
  ): Promise<boolean> {
    const undo = async (): Promise<void> => {
      if (made !== undefined) await drop(made.target, made.copy);
    };
    try {
      const isStill = (await still(key, state)) !== undefined;
      if (isStill) await drop(key, now);
      else await undo();
      return isStill;
    } catch (error) {
      await undo().catch(() => undefined);
      throw error;
    }
  }
}

/** Keys may be longer than names of files: what is shortened in the middle of a character is not shortened. */
function besideKey(whole: Buffer, unique: string): string {
  return keyOf("", besideName(whole, unique)) ?? `${keyFor("", whole)}~${unique}`;
}

/** Keys are UTF-8, so what is none was never listed. */
function keyFor(prefix: string, path: Buffer): string {
  const key = keyOf(prefix, path);
  if (key === undefined) throw new RemoteError("failed", "its name is not UTF-8: S3 has no key for it");
  return key;
}
