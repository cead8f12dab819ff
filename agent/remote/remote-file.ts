/** A remote file as one that is opened here: read in order, and only believed when it is as long as its server said. */
import { ProblemError } from "@tributary/shared/problems.ts";
import { sameState } from "../source/same-state.ts";
import type { OpenFile } from "../source/source.ts";
import type { FileState } from "../source/state.ts";
import type { Patience } from "./patience.ts";
import { RemoteError, type RemoteFile } from "./remote.ts";

/** Throws `source-unreachable` where the place is away, and whatever else is wrong with this file. */
export function openRemoteFile(file: RemoteFile, patience: Patience): OpenFile {
  const { state } = file;
  let reading: AsyncIterator<Buffer> | undefined;
  let at = 0;
  let rest: Buffer = Buffer.alloc(0);

  async function next(): Promise<boolean> {
    reading ??= file.bytes(at)[Symbol.asyncIterator]();
    const result = await reading.next();
    if (result.done === true) return false;
    rest = result.value;
    return true;
  }

  async function stop(): Promise<void> {
    const before = reading;
    reading = undefined;
    rest = Buffer.alloc(0);
    await before?.return?.();
  }

  async function again(): Promise<FileState | undefined> {
    return await told(() => file.again());
  }

  /** Failures in words of a source; `changed` is an answer, not a failure. */
  async function told<T>(work: () => Promise<T>): Promise<T> {
    try {
      const answer = await work();
      patience.worked();
      return answer;
    } catch (cause) {
      const error = patience.failed(cause);
      if (error instanceof RemoteError && error.failure === "away")
        throw new ProblemError("source-unreachable", error.message, { cause: error });
      throw error;
    }
  }

  /** It ended before its size was reached: another file by now, or a server that does not know its own. */
  async function short(): Promise<void> {
    const now = await again();
    if (now === undefined || !sameState(now, state)) return;
    throw new Error(
      `its server says that it has ${state.size} bytes, and gave only ${at}; ask the server's administrator`,
    );
  }

  return {
    state,
    ...(file.modifiedNs === undefined ? {} : { modifiedNs: file.modifiedNs }),
    async read(into, position) {
      if (position !== at) {
        await stop();
        at = position;
      }
      try {
        while (rest.length === 0 && (await told(next)));
      } catch (error) {
        if (!(error instanceof RemoteError)) throw error;
        if (error.failure !== "absent" && error.failure !== "changed") throw error;
      }
      if (rest.length === 0 && at < state.size) await short();
      const given = rest.copy(into);
      rest = rest.subarray(given);
      at += given;
      return given;
    },
    async recheck() {
      if (at === state.size && (rest.length > 0 || (await told(next)))) {
        const now = await again();
        if (now !== undefined && sameState(now, state))
          throw new Error(
            `its server says that it has ${state.size} bytes, and gives more; ask the server's administrator`,
          );
        return now;
      }
      return await again();
    },
    async [Symbol.asyncDispose]() {
      await stop().catch(() => undefined);
      await file[Symbol.asyncDispose]();
    },
  };
}
