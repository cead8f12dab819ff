/** Values of Parquet as text, to the last digit: the library would make floating point of decimals, and milliseconds of nanoseconds. */
import type { ParquetParsers, SchemaElement } from "hyparquet";

const two = (value: bigint | number): string => String(value).padStart(2, "0");

/** `perSecond`: 1,000, a million, or a thousand millions. */
function timestamp(value: bigint, perSecond: bigint): string {
  const rest = ((value % perSecond) + perSecond) % perSecond;
  const second = new Date(Number((value - rest) / perSecond) * 1_000);
  if (Number.isNaN(second.getTime())) return String(value);
  return second.toISOString().slice(0, -5).replace("T", " ") + fraction(rest, perSecond);
}

const fraction = (rest: bigint, perSecond: bigint): string =>
  rest === 0n ? "" : `.${String(rest).padStart(String(perSecond).length - 1, "0")}`;

const hex = (bytes: Uint8Array | undefined): string | undefined =>
  bytes && `0x${Buffer.from(bytes.subarray(0, 250)).toString("hex")}`;

/** The library's own conversions, replaced where they lose something or could be large. */
export const PARSERS: Partial<ParquetParsers> = {
  timestampFromMilliseconds: (value: bigint | undefined) =>
    value === undefined ? value : timestamp(BigInt(value), 1_000n),
  timestampFromMicroseconds: (value: bigint | undefined) =>
    value === undefined ? value : timestamp(BigInt(value), 1_000_000n),
  timestampFromNanoseconds: (value: bigint | undefined) =>
    value === undefined ? value : timestamp(BigInt(value), 1_000_000_000n),
  dateFromDays: (days: number | undefined) =>
    days === undefined ? days : timestamp(BigInt(days) * 86_400n, 1n).slice(0, -9),
  jsonFromBytes: (bytes: Uint8Array) => bytes && Buffer.from(bytes).toString("utf8"),
  geometryFromBytes: hex,
  geographyFromBytes: hex,
};

/** What the library is to leave as it lies, since `textOf` says it better. */
export function asItLies(element: SchemaElement): SchemaElement {
  const { converted_type: converted } = element;
  const { logical_type: logical, ...rest } = element;
  if (isDecimal(element) || converted === "BSON" || converted === "INTERVAL") {
    const { converted_type: _, ...bare } = rest;
    return bare;
  }
  return logical === undefined ? rest : element;
}

export const isDecimal = ({ converted_type: converted, logical_type: logical }: SchemaElement): boolean =>
  converted === "DECIMAL" || logical?.type === "DECIMAL";

/** One value of a column whose element, as the file has it, is `element`. */
export function textOf(value: unknown, element: SchemaElement): string {
  if (value === undefined || value === null) return "";
  if (isDecimal(element) && (typeof value === "number" || typeof value === "bigint"))
    return decimal(BigInt(value), scaleOf(element));
  if (isDecimal(element) && value instanceof Uint8Array) return decimal(signed(value), scaleOf(element));
  if (element.type === "FLOAT" && typeof value === "number") return shortest(value);
  const time = perSecondOf(element);
  if (time !== undefined && (typeof value === "number" || typeof value === "bigint"))
    return clock(BigInt(value), time);
  if (typeof value === "string") return value;
  if (value instanceof Uint8Array) return bytesAsText(value);
  if (typeof value === "object") return JSON.stringify(value, plainly);
  return typeof value === "number" || typeof value === "bigint" || typeof value === "boolean"
    ? String(value)
    : "";
}

function scaleOf({ scale, logical_type: logical }: SchemaElement): number {
  const said = scale ?? (logical?.type === "DECIMAL" ? logical.scale : 0);
  return Number.isInteger(said) && said >= 0 && said <= 400 ? said : 0;
}

function decimal(unscaled: bigint, scale: number): string {
  const digits = String(unscaled < 0n ? -unscaled : unscaled).padStart(scale + 1, "0");
  const whole = digits.slice(0, digits.length - scale);
  return `${unscaled < 0n ? "-" : ""}${whole}${scale === 0 ? "" : `.${digits.slice(-scale)}`}`;
}

/** Two's complement, the highest byte first. */
function signed(bytes: Uint8Array): bigint {
  if (bytes.length === 0 || bytes.length > 1_000) return 0n;
  return BigInt.asIntN(bytes.length * 8, BigInt(`0x${Buffer.from(bytes).toString("hex")}`));
}

/** The fewest digits that give this 32-bit number again. */
function shortest(value: number): string {
  for (let digits = 1; digits < 10; digits += 1) {
    const text = Number(value.toPrecision(digits));
    if (Math.fround(text) === value) return String(text);
  }
  return String(value);
}

function perSecondOf({
  converted_type: converted,
  logical_type: logical,
}: SchemaElement): bigint | undefined {
  if (converted === "TIME_MILLIS") return 1_000n;
  if (converted === "TIME_MICROS") return 1_000_000n;
  if (logical?.type !== "TIME") return undefined;
  return { MILLIS: 1_000n, MICROS: 1_000_000n, NANOS: 1_000_000_000n }[logical.unit];
}

function clock(value: bigint, perSecond: bigint): string {
  const rest = value % perSecond;
  const seconds = value / perSecond;
  return `${two(seconds / 3_600n)}:${two((seconds / 60n) % 60n)}:${two(seconds % 60n)}${fraction(rest, perSecond)}`;
}

/** Many writers put text into columns that they do not call text. */
function bytesAsText(bytes: Uint8Array): string {
  const some = bytes.subarray(0, 1_024);
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(some, {
      stream: bytes.length > some.length,
    });
    if (!some.some((byte) => byte < 9 || (byte > 13 && byte < 32))) return text;
  } catch {
    // Bytes then.
  }
  return hex(bytes) ?? "";
}

function plainly(_key: string, value: unknown): unknown {
  if (typeof value === "bigint") return rawJson(String(value));
  return value instanceof Uint8Array ? bytesAsText(value) : value;
}

/** A number with all its digits; newer than TypeScript's description of JSON. */
const { rawJSON: rawJson } = JSON as typeof JSON & { rawJSON(text: string): unknown };
