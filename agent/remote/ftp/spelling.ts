/** Names in commands and replies: bytes, as latin1 text. What FTP cannot say is never said in part: that would ask for another file. */
import { key, lastSegment } from "../../source/bytes.ts";
import { RemoteError } from "../remote.ts";

/** CR and LF end a command (RFC 959, 5.3); 0xFF begins one of Telnet, which some servers take out and others leave in. */
const UNSAYABLE = /[\0\r\n\xff]/;

/** Why a file of this name cannot be asked for; undefined: it can. */
export function unsayable(name: string): string | undefined {
  if (!UNSAYABLE.test(name)) return undefined;
  return "FTP cannot say a name that holds a line break or the byte 0xFF: rename it on the server, or fetch it by another protocol";
}

/** For a command. */
export function said(path: Buffer): string {
  const text = key(path);
  const reason = unsayable(text);
  if (reason !== undefined) throw new RemoteError("failed", `${path}: ${reason}`);
  return text;
}

/** What a person types, as the bytes that a server of today expects. */
export function typed(text: string): string {
  return Buffer.from(text, "utf8").toString("latin1");
}

/** What a server wrote, for people: one line, and not without end. */
export function readable(text: string): string {
  const line = Buffer.from(text, "latin1").toString("utf8").replace(/\s+/g, " ").trim();
  return line.length > 300 ? `${line.slice(0, 300)}…` : line;
}

/** The folder in a reply to PWD: in quotes, with those in it doubled (RFC 959, appendix II). */
export function folderOf(reply: string): string | undefined {
  const quoted = /^257[ -]"((?:[^"]|"")*)"/.exec(reply)?.[1];
  return quoted?.replaceAll('""', '"');
}

/** Whether a server that was asked for one path answers for another: it cut or trimmed the name. */
export function answersFor(asked: Buffer, answered: string): boolean {
  const name = key(lastSegment(asked));
  const last = answered.replace(/\/$/, "");
  return name === "" || last.slice(last.lastIndexOf("/") + 1) === name;
}
