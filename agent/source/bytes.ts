/** Paths as bytes: the only arithmetic that names need, without ever decoding them. */
export const ROOT = Buffer.alloc(0);
export const SLASH = 0x2f;

export function join(folder: Buffer, name: Buffer): Buffer {
  if (folder.length === 0) return name;
  // Only the root of a file system ends in a slash.
  return Buffer.concat(folder.at(-1) === SLASH ? [folder, name] : [folder, Buffer.of(SLASH), name]);
}

/** The folder that contains it; empty for what lies in the root. */
export function parent(path: Buffer): Buffer {
  return path.subarray(0, Math.max(0, path.lastIndexOf(SLASH)));
}

export function lastSegment(path: Buffer): Buffer {
  return path.subarray(path.lastIndexOf(SLASH) + 1);
}

/** Bytes as a key for maps and sets: injective, and short in memory. */
export function key(path: Buffer): string {
  return path.toString("latin1");
}

export function fromKey(text: string): Buffer {
  return Buffer.from(text, "latin1");
}

/** Whether `path` is `folder` or lies in it. */
export function within(path: Buffer, folder: Buffer): boolean {
  if (folder.length === 0) return true;
  if (folder.at(-1) === SLASH) return path.subarray(0, folder.length).equals(folder);
  return (
    path.subarray(0, folder.length).equals(folder) &&
    (path.length === folder.length || path[folder.length] === SLASH)
  );
}
