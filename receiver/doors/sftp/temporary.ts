/** Names under which programs send what they give its own name only when it is whole: no version is made of them. */
import picomatch from "picomatch";

/** Of a file's own name, without its folders. */
export type IsTemporary = (name: Buffer) => boolean;

/** Upper and lower case alike. */
export function temporaryNames(patterns: readonly string[]): IsTemporary {
  const matches = patterns.map((pattern) => picomatch(pattern, { dot: true, nocase: true, nonegate: true }));
  return (name) => {
    const text = name.toString("utf8");
    return matches.some((match) => match(text));
  };
}
