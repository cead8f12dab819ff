/** A listing as it comes over the line -> its lines. */
import { RemoteError } from "../remote.ts";

const LONGEST = 64 * 1024;

/**
 * In portions: what came at once. Lines end in CR LF (RFC 3659, 7.2), or in LF alone on servers that have never heard of it; the
 * first one tells. Where they end in CR LF, an LF alone belongs to a name, which must not become two.
 */
export async function* linesOf(pieces: AsyncIterable<Buffer>): AsyncGenerator<readonly string[]> {
  let end: "\r\n" | "\n" | undefined;
  let rest = "";
  for await (const piece of pieces) {
    rest += piece.toString("latin1");
    const first = rest.indexOf("\n");
    if (end === undefined && first >= 0) end = rest[first - 1] === "\r" ? "\r\n" : "\n";
    if (end !== undefined) {
      const lines = rest.split(end);
      rest = lines.pop() as string;
      if (lines.length > 0) yield lines;
    }
    if (rest.length > LONGEST) throw new RemoteError("failed", "the server's listing has a line without end");
  }
  if (rest !== "") yield [rest];
}
