/** Names that the agent gives for an instant, in an `after:` action. Only this exact form is its own: what merely looks alike is a client's file. */
import { isUuidv7 } from "@tributary/shared/uuid.ts";

const [BEGIN, END] = [".tributary-", "~"];

/** `uuid`: version 7, and in no other name. */
export function ownName(uuid: string): Buffer {
  return Buffer.from(`${BEGIN}${uuid}${END}`);
}

export function isOwnName(name: Buffer): boolean {
  // Asked of every name of every scan: most answers need no text.
  if (name[0] !== 0x2e) return false;
  const text = name.toString("latin1");
  return text.startsWith(BEGIN) && text.endsWith(END) && isUuidv7(text.slice(BEGIN.length, -END.length));
}
