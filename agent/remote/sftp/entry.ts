/** What SFTP says of one name, as a source wants it. */
import type { Attributes } from "@tributary/shared/sftp/attributes.ts";
import type { FileState } from "../../source/state.ts";
import type { Entry } from "../remote.ts";

const KINDS = 0o170000;
const [FOLDER, FILE, LINK, FIFO, SOCKET] = [0o040000, 0o100000, 0o120000, 0o010000, 0o140000];

const LINKED = "a link: links are not followed";

/** What it is; undefined: the server does not say. */
export function kindOf({ permissions }: Attributes): "file" | "folder" | "link" | "other" | undefined {
  const kind = (permissions ?? 0) & KINDS;
  if (kind === 0) return undefined;
  return kind === FILE ? "file" : kind === FOLDER ? "folder" : kind === LINK ? "link" : "other";
}

export function entryOf(name: Buffer, attributes: Attributes): Entry {
  const kind = kindOf(attributes);
  if (kind === undefined)
    return { kind: "refused", name, reason: "the server does not say whether it is a file or a folder" };
  if (kind === "folder") return { kind, name };
  if (kind === "link") return { kind: "other", name, what: LINKED };
  if (kind === "other") {
    const bits = (attributes.permissions ?? 0) & KINDS;
    return { kind, name, what: bits === FIFO ? "a FIFO" : bits === SOCKET ? "a socket" : "a device" };
  }
  const state = stateOf(attributes);
  return typeof state === "string" ? { kind: "refused", name, reason: state } : { kind, name, state };
}

/** Of a file; or why it cannot be told when it changes. */
export function stateOf({ size, modified }: Attributes): FileState | string {
  if (size === undefined || modified === undefined)
    return "the server does not say how large it is and when it was changed";
  if (!Number.isSafeInteger(size)) return "the server says that it has more bytes than any file";
  return { size, mtimeNs: BigInt(modified) * 1_000_000_000n, ctimeNs: 0n, fileId: undefined };
}

/** Whether a folder can have such a name; no server should give any other. */
export function isName(name: Buffer): boolean {
  return name.length > 0 && !name.includes(0x2f) && !name.includes(0);
}

export function isDots(name: Buffer): boolean {
  return name[0] === 0x2e && (name.length === 1 || (name.length === 2 && name[1] === 0x2e));
}
