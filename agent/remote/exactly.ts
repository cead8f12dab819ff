/** `after:` for objects: the place itself acts if, and only if, they are still what was sealed. Nothing is put aside, so nothing is left behind. */
import type { After } from "../source/after.ts";
import { join } from "../source/bytes.ts";
import { type Exactly, RemoteError } from "./remote.ts";

const CHANGED = { kind: "skipped", reason: "the object is not what was sealed any more" } as const;

export function afterExactly(exactly: Exactly): After {
  return {
    async act(rule, { path, state }, unique) {
      try {
        const kept = await exactly.keeps?.();
        const done =
          rule.kind === "delete"
            ? await exactly.remove(path, state)
            : await exactly.move(path, state, join(Buffer.from(rule.to), path), unique);
        return done ? { kind: "done", action: rule.kind, kept: kept === true } : CHANGED;
      } catch (error) {
        if (!(error instanceof RemoteError)) throw error;
        if (error.failure === "absent") return { kind: "skipped", reason: "the object is gone" };
        if (error.failure === "changed") return CHANGED;
        return error.failure === "away" ? { kind: "away" } : { kind: "failed", reason: error.message };
      }
    },
    recover: () => Promise.resolve({ kind: "unknown" }),
  };
}
