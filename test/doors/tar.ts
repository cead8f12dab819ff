/** A small writer of pax archives (IEEE Std 1003.1-2017, pax), not the product's own: what one reads the other did not write. */
const BLOCK = 512;

export interface TarFile {
  readonly path: Buffer;
  readonly bytes: Buffer;
  /** What the header says, when that is not the truth. */
  readonly size?: number;
  readonly records: Readonly<Record<string, string>>;
}

/** A whole archive. Every path stands in a record, so any byte may be in it. */
export function tarOf(files: readonly TarFile[]): Buffer {
  const entries = files.map(({ path, bytes, size = bytes.length, records }) => {
    const pax = Buffer.concat([
      record("path", path),
      ...Object.entries(records).map(([name, value]) => record(name, Buffer.from(value))),
    ]);
    const name = Buffer.from("in-the-record");
    return Buffer.concat([
      header(name, pax.length, "x"),
      filled(pax),
      header(name, size, "0"),
      filled(bytes),
    ]);
  });
  return Buffer.concat([...entries, Buffer.alloc(2 * BLOCK)]);
}

/** `<length> <name>=<value>\n`; the length counts its own digits. */
function record(name: string, value: Buffer): Buffer {
  const rest = Buffer.concat([Buffer.from(` ${name}=`), value, Buffer.from("\n")]);
  const length = [1, 2, 3, 4, 5]
    .map((digits) => rest.length + digits)
    .find((n, i) => `${n}`.length === i + 1);
  return Buffer.concat([Buffer.from(`${length}`), rest]);
}

function filled(bytes: Buffer): Buffer {
  return Buffer.concat([bytes, Buffer.alloc((BLOCK - (bytes.length % BLOCK)) % BLOCK)]);
}

function header(name: Buffer, size: number, type: string): Buffer {
  const octal = (value: number, digits: number): string => `${value.toString(8).padStart(digits, "0")}\0`;
  const block = Buffer.alloc(BLOCK);
  name.copy(block);
  block.write(octal(0o644, 7) + octal(0, 7) + octal(0, 7) + octal(size, 11) + octal(1_700_000_000, 11), 100);
  block.write(`        ${type}`, 148);
  block.write("ustar\x0000", 257);
  block.write(
    `${octal(
      block.reduce((sum, byte) => sum + byte, 0),
      6,
    )} `,
    148,
  );
  return block;
}
