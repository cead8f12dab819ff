/** Bytes to text: UTF-8, UTF-16 where its mark stands before it, and else what Windows wrote in Western Europe. */

export interface Decoded {
  readonly text: string;
  readonly encoding: "UTF-8" | "UTF-16" | "windows-1252";
  readonly notes: readonly string[];
}

/** `whole`: these are all bytes of the file; otherwise the last character may be cut in two. Undefined: these bytes are no text. */
export function decode(bytes: Buffer, whole: boolean): Decoded | undefined {
  const utf16 = utf16Of(bytes);
  if (utf16 !== undefined) {
    const text = new TextDecoder(utf16).decode(bytes, { stream: !whole });
    return { text, encoding: "UTF-16", notes: [`Encoding: ${utf16.toUpperCase()}.`] };
  }
  if (isBinary(bytes.subarray(0, 8_192))) return undefined;
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes, { stream: !whole });
    return { text, encoding: "UTF-8", notes: [] };
  } catch {
    const text = new TextDecoder("windows-1252").decode(bytes);
    return {
      text,
      encoding: "windows-1252",
      notes: ["It is not UTF-8; it is shown as windows-1252, which may be wrong."],
    };
  }
}

function utf16Of(bytes: Buffer): "utf-16le" | "utf-16be" | undefined {
  if (bytes[0] === 0xff && bytes[1] === 0xfe) return "utf-16le";
  if (bytes[0] === 0xfe && bytes[1] === 0xff) return "utf-16be";
  return undefined;
}

/** Text has next to no control characters; a stray NUL among many others does not make it binary. */
function isBinary(bytes: Buffer): boolean {
  let controls = 0;
  for (const byte of bytes)
    if (byte < 0x20 && !(byte >= 0x09 && byte <= 0x0d) && byte !== 0x1b) controls += 1;
  return controls * 50 > bytes.length;
}
