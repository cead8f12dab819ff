/** What a server answers: packets read. */
import type { Attributes } from "@tributary/shared/sftp/attributes.ts";
import { Fields, MalformedPacket } from "@tributary/shared/sftp/fields.ts";
import { ANSWER } from "@tributary/shared/sftp/words.ts";

/** One of a folder. */
export interface Name {
  readonly name: Buffer;
  /** As `ls -l` prints it; nothing says that it has this form. */
  readonly line: Buffer;
  readonly attributes: Attributes;
}

export type Answer = { readonly id: number } & (
  | { readonly kind: "status"; readonly code: number; readonly words: string }
  | { readonly kind: "handle"; readonly handle: Buffer }
  | { readonly kind: "data"; readonly bytes: Buffer }
  | { readonly kind: "name"; readonly names: readonly Name[] }
  | { readonly kind: "attributes"; readonly attributes: Attributes }
  | { readonly kind: "extended"; readonly fields: Fields }
);

/** `packet` without its length. Throws MalformedPacket. */
export function readAnswer(packet: Buffer): Answer {
  // One file of a nonsensical size is no reason to hear no more of the others.
  const fields = new Fields(packet, 1, "infinity");
  const id = fields.uint32();
  return { id, ...behind(packet[0], fields) } as Answer;
}

type Behind = Answer extends infer One ? (One extends Answer ? Omit<One, "id"> : never) : never;

function behind(type: number | undefined, fields: Fields): Behind {
  switch (type) {
    case ANSWER.status: {
      const code = fields.uint32();
      // Some old servers leave the words out.
      return { kind: "status", code, words: fields.ended ? "" : text(fields.string()) };
    }
    case ANSWER.handle:
      // A view would hold all that it came with.
      return { kind: "handle", handle: Buffer.from(fields.string()) };
    case ANSWER.data:
      return { kind: "data", bytes: fields.string() };
    case ANSWER.name:
      return { kind: "name", names: names(fields) };
    case ANSWER.attrs:
      return { kind: "attributes", attributes: fields.attributes() };
    case ANSWER.extendedReply:
      return { kind: "extended", fields };
    default:
      throw new MalformedPacket(`an answer of type ${type}`);
  }
}

function names(fields: Fields): Name[] {
  const found: Name[] = [];
  for (let count = fields.uint32(); count > 0; count -= 1)
    found.push({
      name: Buffer.from(fields.string()),
      line: fields.string(),
      attributes: fields.attributes(),
    });
  return found;
}

/** For people: one line, not long. */
function text(words: Buffer): string {
  return words
    .toString("utf8", 0, 300)
    .replace(/\p{Cc}+/gu, " ")
    .trim();
}

/** The version, and what the server can besides. */
export function readVersion(packet: Buffer): {
  readonly version: number;
  readonly extensions: ReadonlySet<string>;
} {
  if (packet[0] !== ANSWER.version) throw new MalformedPacket(`a greeting of type ${packet[0]}`);
  const fields = new Fields(packet, 1);
  const version = fields.uint32();
  const extensions = new Set<string>();
  while (!fields.ended) {
    extensions.add(fields.string().toString("latin1"));
    fields.string();
  }
  return { version, extensions };
}
