/** Bytes of a file or of a command's input as the value of a secret. */

/** A private key has a few thousand. */
export const MOST_BYTES = 65_536;

export interface Refused {
  /** What is wrong, as the end of a sentence that names where it came from. It never quotes the value. */
  readonly says: string;
}

/** One newline at its end belongs to the file, not to the value. */
export function readValue(bytes: Uint8Array): string | Refused {
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return { says: "is not UTF-8 text" };
  }
  const value = text.replace(/\r?\n$/, "");
  if (Buffer.byteLength(value) > MOST_BYTES) return { says: `has more than ${MOST_BYTES / 1024} KiB` };
  if (value === "") return { says: "is empty" };
  return value;
}
