/** SSH's way of writing (RFC 4251, 5): a row of fields, each with its length in 4 bytes before it. Keys are nothing but these. */

export function fields(...values: readonly (Uint8Array | string)[]): Buffer {
  return Buffer.concat(
    values.flatMap((value) => {
      const bytes = Buffer.from(value as string);
      const length = Buffer.alloc(4);
      length.writeUInt32BE(bytes.length);
      return [length, bytes];
    }),
  );
}

/** All of them; undefined when the bytes are not fields to the last one. */
export function fieldsOf(bytes: Buffer): Buffer[] | undefined {
  const found: Buffer[] = [];
  let at = 0;
  while (at < bytes.length) {
    if (at + 4 > bytes.length) return undefined;
    const end = at + 4 + bytes.readUInt32BE(at);
    if (end > bytes.length) return undefined;
    found.push(bytes.subarray(at + 4, end));
    at = end;
  }
  return found;
}

/** A positive number: a leading zero where the first bit is set, and no other (RFC 4251, mpint). */
export function mpint(bytes: Uint8Array): Buffer {
  let at = 0;
  while (at < bytes.length && bytes[at] === 0) at += 1;
  const digits = Buffer.from(bytes.subarray(at));
  return ((digits[0] ?? 0) & 0x80) === 0 ? digits : Buffer.concat([Buffer.of(0), digits]);
}
