import { describe, expect, test } from "vitest";
import { Away, neverAway, shareAway } from "./share-away.ts";
import type { RootHealth } from "./source.ts";

const gone: RootHealth = {
  healthy: false,
  code: "source-unreachable",
  reason: "//srv2/export cannot be reached",
};
const there: RootHealth = { healthy: true, rootId: "share-1" };
const failure = (code: string): Error => Object.assign(new Error(`${code}: failed`), { code });

/** Answers in turn; the last one again and again. */
function inTurn<T>(...answers: readonly T[]): { next(): T; readonly asked: number } {
  let asked = 0;
  return {
    next: () => answers[Math.min(asked++, answers.length - 1)] as T,
    get asked() {
      return asked;
    },
  };
}

function share(...answers: readonly RootHealth[]) {
  const health = inTurn(...answers);
  return { health, ...shareAway(async () => health.next(), [1, 1]) };
}

describe("whose trouble it is when something on a share fails", () => {
  const fails = (error: Error) => async (): Promise<never> => {
    throw error;
  };

  test("the share's, also where it answered from memory at first", async () => {
    const { surely } = share(there, there, gone);
    await expect(surely(fails(failure("EIO")))).rejects.toThrow(
      expect.objectContaining({ message: "//srv2/export cannot be reached" }),
    );
    await expect(share(gone).surely(fails(failure("EIO")))).rejects.toBeInstanceOf(Away);
  });

  test("nobody's, where it can be had the next time", async () => {
    const once = inTurn(fails(failure("ENOTCONN")), async () => "read");
    expect(await share(there).surely(() => once.next()())).toBe("read");
  });

  test("the file's own, where the share is there all the time; what fails soon after it is not waited for", async () => {
    const { surely, health } = share(there);
    const own = failure("EIO");
    await expect(surely(fails(own))).rejects.toBe(own);
    expect(health.asked).toBe(3);
    await expect(surely(fails(own))).rejects.toBe(own);
    expect(health.asked).toBe(4);
  });

  test("another error is the file's own, and the share is not asked", async () => {
    const { surely, health } = share(gone);
    const denied = failure("EACCES");
    await expect(surely(fails(denied))).rejects.toBe(denied);
    expect(health.asked).toBe(0);
  });

  test("a folder that failed may be had the next time, unless it fails alone", async () => {
    const own = failure("EIO");
    expect(await share(there).mayPass(own, async () => undefined)).toBe(true);
    expect(await share(gone).mayPass(own, fails(own))).toBe(true);
    expect(await share(there).mayPass(own, fails(own))).toBe(false);
    expect(await share(gone).mayPass(failure("EACCES"), async () => undefined)).toBe(false);
    expect(await share(there).mayPass(new Away("gone"), fails(own))).toBe(true);
  });

  test("bytes that cannot be read: the place is away, or the error is what it was", async () => {
    const error = failure("EIO");
    expect(await share(gone).unread(error)).toMatchObject({ code: "source-unreachable" });
    expect(await share(there).unread(error)).toBe(error);
    expect(await neverAway.unread(error)).toBe(error);
  });
});
