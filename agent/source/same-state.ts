import type { FileState } from "./state.ts";

/** Not touched in between, as far as the system tells. A file id is compared only where both looks trust it. */
export function sameState(a: FileState, b: FileState): boolean {
  return (
    a.size === b.size &&
    a.mtimeNs === b.mtimeNs &&
    a.ctimeNs === b.ctimeNs &&
    (a.fileId === undefined || b.fileId === undefined || a.fileId === b.fileId)
  );
}

/** The same bytes, whatever is told of their time: only where ids change with the content, see `Tells`. */
export function sameContent(a: FileState, b: FileState): boolean {
  return a.size === b.size && a.fileId !== undefined && a.fileId === b.fileId;
}
