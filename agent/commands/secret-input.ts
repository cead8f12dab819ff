/** How a secret comes in: from a file or a program on standard input, or typed twice and shown nowhere. */
import { createInterface } from "node:readline/promises";
import { Writable } from "node:stream";
import { ProblemError } from "@tributary/shared/problems.ts";
import { MOST_BYTES, readValue } from "../secret/value.ts";

/** Throws `usage`, which never quotes the value. */
export async function readSecret(input: NodeJS.ReadStream, prompt: NodeJS.WritableStream): Promise<string> {
  const value = readValue(input.isTTY ? Buffer.from(await typedTwice(input, prompt)) : await bytesOf(input));
  if (typeof value === "string") return value;
  throw new ProblemError(
    "usage",
    `the secret ${value.says}; hand it over by standard input, as it is: … < FILE`,
  );
}

async function bytesOf(input: AsyncIterable<Buffer | string>): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of input) {
    chunks.push(Buffer.from(chunk));
    size += chunks.at(-1)?.length ?? 0;
    // More than that is refused, however much more it is.
    if (size > MOST_BYTES + 2) break;
  }
  return Buffer.concat(chunks);
}

/** Node's own line editor, writing to nowhere. */
async function typedTwice(input: NodeJS.ReadStream, prompt: NodeJS.WritableStream): Promise<string> {
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
  const editor = createInterface({ input, output: nowhere, terminal: true, historySize: 0 });
  const gone = new AbortController();
  const stop = (): void => gone.abort();
  editor.once("SIGINT", stop).once("close", stop);
  const ask = async (question: string): Promise<string> => {
    prompt.write(question);
    const line = await editor.question("", { signal: gone.signal });
    prompt.write("\n");
    return line;
  };
  try {
    const first = await ask("the secret (it is not shown): ");
    if (first === (await ask("the same again: "))) return first;
  } catch (cause) {
    prompt.write("\n");
    throw new ProblemError("usage", "nothing was set: it was not typed to its end", { cause });
  } finally {
    editor.off("close", stop).close();
  }
  throw new ProblemError(
    "usage",
    "nothing was set: the two are not the same; one of several lines, such as a private key, comes by standard input: … < FILE",
  );
}
