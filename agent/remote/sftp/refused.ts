/** What a server does not do, and what that means for a source. */
import { displayPath } from "@tributary/shared/path.ts";
import { STATUS } from "@tributary/shared/sftp/words.ts";
import { RemoteError, type RemoteFailure } from "../remote.ts";

/** A status of SFTP; the words are the server's own. */
export class Refused extends Error {
  readonly code: number;

  constructor(code: number, words: string) {
    super(words);
    this.code = code;
  }
}

/** Version 3 has 0 to 8; servers of later versions say some more. */
const MEANINGS: Readonly<Record<number, readonly [RemoteFailure, string]>> = {
  [STATUS.eof]: ["failed", "end of file"],
  [STATUS.noSuchFile]: ["absent", "no such file"],
  [STATUS.permissionDenied]: ["denied", "permission denied"],
  [STATUS.failure]: ["failed", "failure, without a reason"],
  [STATUS.badMessage]: ["failed", "bad message"],
  6: ["away", "no connection"],
  7: ["away", "the connection is lost"],
  [STATUS.unsupported]: ["failed", "the server cannot do this"],
  10: ["absent", "no such path"],
};

/** `deed`: "list", "read": what was to be done with the path. Whatever is no refusal is thrown as it is. */
export function failureOf(error: unknown, deed: string, path: Buffer): unknown {
  if (!(error instanceof Refused)) return error;
  const [failure, meaning] = MEANINGS[error.code] ?? ["failed", `status ${error.code}`];
  const words = error.message === "" ? meaning : error.message;
  const name = path.length === 0 ? "the folder" : displayPath(path);
  return new RemoteError(failure, `cannot ${deed} ${name}: the server says "${words}"`, { cause: error });
}

/** Does one step, and says what it was when the server refuses. */
export async function doing<T>(deed: string, path: Buffer, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw failureOf(error, deed, path);
  }
}
