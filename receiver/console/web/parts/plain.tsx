/**
 * Text of strangers as it is: names and contents of files. What cannot be seen, or would turn the text around, stands there as
 * a sign; a name from right to left turns nothing around that is beside it.
 */
import type { ReactNode } from "react";

/** Controls and formats: zero widths, marks of direction, soft hyphens, tags; and separators of lines. */
const HIDDEN = /[\p{Cc}\p{Cf}\u2028\u2029]/u;
const HIDDEN_ALL = /([\p{Cc}\p{Cf}\u2028\u2029])/u;

const NAMES: Readonly<Record<string, string>> = { "\n": "↵", "\r": "␍", "\t": "⇥", "\0": "␀" };

function signOf(character: string): string {
  const code = character.codePointAt(0) ?? 0;
  return NAMES[character] ?? `U+${code.toString(16).toUpperCase().padStart(4, "0")}`;
}

const isSign = (part: string): boolean => part.length <= 2 && HIDDEN.test(part);

/** What a screen reader or a title says of it. */
export function plainText(text: string): string {
  return HIDDEN.test(text)
    ? text
        .split(HIDDEN_ALL)
        .map((part) => (isSign(part) ? `‹${signOf(part)}›` : part))
        .join("")
    : text;
}

export function Plain({
  text,
  marked = [],
}: {
  readonly text: string;
  /** Parts of it that stand out: from, to. */
  readonly marked?: readonly (readonly [number, number])[];
}) {
  if (marked.length === 0) return <bdi>{withSigns(text)}</bdi>;
  const parts: ReactNode[] = [];
  let at = 0;
  for (const [from, to] of marked) {
    parts.push(withSigns(text.slice(at, from)));
    parts.push(<mark key={from}>{withSigns(text.slice(from, to))}</mark>);
    at = to;
  }
  return (
    <bdi>
      {parts}
      {withSigns(text.slice(at))}
    </bdi>
  );
}

function withSigns(text: string): ReactNode {
  if (!HIDDEN.test(text)) return text;
  return text.split(HIDDEN_ALL).map((part, i) =>
    isSign(part) ? (
      // biome-ignore lint/suspicious/noArrayIndexKey: the parts of a text never change places
      <span key={i} className="sign">
        {signOf(part)}
      </span>
    ) : (
      part
    ),
  );
}
