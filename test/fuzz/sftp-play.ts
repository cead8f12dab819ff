/** Requests of two connections in any order, done at the receiver and in the model side by side. */
import fc from "fast-check";
import { expect } from "vitest";
import type { Sftp, SftpSession } from "../site/sftp.ts";
import { type Answer, attributes, OPEN, STATUS, string, TYPE, uint32, uint64 } from "../site/sftp-wire.ts";
import { type Heard, Model } from "./sftp-model.ts";

/** Two of them temporary. */
export const NAMES = ["a", "b", "t.part", ".h"] as const;

const name = fc.constantFrom(...NAMES);
const who = fc.nat(1);
const handle = fc.nat(1);
const size = fc.oneof({ weight: 4, arbitrary: fc.nat(40) }, fc.constantFrom(0, 300_000));
const { read, write, create, truncate, append, exclusive } = OPEN;
const flags = fc.constantFrom(
  ...[read, write, write | create, write | create | truncate, write | create | truncate],
  ...[read | write | create, write | append | create, write | create | exclusive],
);
const bytes = fc.oneof(
  { weight: 5, arbitrary: fc.uint8Array({ maxLength: 20 }).map((one) => Buffer.from(one)) },
  fc.constant(Buffer.alloc(200_000, 7)),
);

const COMMANDS = {
  open: [9, fc.record({ do: fc.constant("open" as const), who, handle, name, flags })],
  write: [5, fc.record({ do: fc.constant("write" as const), who, handle, at: size, bytes })],
  read: [2, fc.record({ do: fc.constant("read" as const), who, handle, at: size, length: fc.nat(50) })],
  close: [7, fc.record({ do: fc.constant("close" as const), who, handle })],
  resize: [1, fc.record({ do: fc.constant("resize" as const), who, handle, size })],
  setSize: [1, fc.record({ do: fc.constant("setSize" as const), who, name, size })],
  remove: [1, fc.record({ do: fc.constant("remove" as const), who, name })],
  rename: [3, fc.record({ do: fc.constant("rename" as const), who, name, to: name, replace: fc.boolean() })],
  stat: [1, fc.record({ do: fc.constant("stat" as const), who, name })],
  cut: [1, fc.record({ do: fc.constant("cut" as const), who })],
} as const;
type Command = (typeof COMMANDS)[keyof typeof COMMANDS][1] extends fc.Arbitrary<infer C> ? C : never;

export const commands: fc.Arbitrary<readonly Command[]> = fc.array(
  fc.oneof(...Object.values(COMMANDS).map(([weight, arbitrary]) => ({ weight, arbitrary }))),
  { minLength: 10, maxLength: 60 },
);

/** Throws where the receiver says something else than the model. All sessions are over then. */
export async function play(
  given: readonly Command[],
  folder: string,
  connections: readonly Sftp[],
): Promise<Model> {
  const model = new Model();
  const sessions = await Promise.all(connections.map(async (one) => await one.session()));
  /** By who and slot: the model's number, and the receiver's handle. */
  const handles = new Map<string, Held>();
  let last = 0;
  const run = async (one: Command): Promise<void> => {
    const session = sessions[one.who] as SftpSession;
    if (one.do === "cut") {
      model.cut(one.who);
      await leave(session);
      for (const slot of [...handles.keys()]) if (slot.startsWith(`${one.who} `)) handles.delete(slot);
      sessions[one.who] = await (connections[one.who] as Sftp).session();
      return;
    }
    const slot = "handle" in one ? `${one.who} ${one.handle}` : "";
    if (one.do === "open") last += 1;
    // What was in the slot stays open in the session.
    const held = one.do === "open" ? { number: last, handle: NOBODYS } : (handles.get(slot) ?? NONE);
    const answer = await asked(session, one, held.handle, folder);
    if (answer.kind === "handle") handles.set(slot, { ...held, handle: answer.handle });
    const got = answer.kind === "attributes" ? answer.attributes.size : heard(answer);
    const words = answer.kind === "status" ? answer.words : "";
    expect(got, `${JSON.stringify(one).slice(0, 200)} ${words}`).toEqual(foretold(model, one, held.number));
  };
  try {
    for (const one of given) await run(one);
  } finally {
    for (const session of sessions) await leave(session);
  }
  for (const i of sessions.keys()) model.cut(i);
  return model;
}

interface Held {
  readonly number: number;
  readonly handle: Buffer;
}

const NOBODYS = Buffer.from("00000000000fffff", "hex");
const NONE: Held = { number: 0, handle: NOBODYS };

type Done = Exclude<Command, { do: "cut" }>;

async function asked(session: SftpSession, one: Done, held: Buffer, folder: string): Promise<Answer> {
  const path = (of: string): Buffer => string(`${folder}/${of}`);
  switch (one.do) {
    case "open":
      return await session.ask(TYPE.open, path(one.name), uint32(one.flags), attributes());
    case "write":
      return await session.ask(TYPE.write, string(held), uint64(one.at), string(one.bytes));
    case "read":
      return await session.ask(TYPE.read, string(held), uint64(one.at), uint32(one.length));
    case "close":
      return await session.ask(TYPE.close, string(held));
    case "resize":
      return await session.ask(TYPE.fsetstat, string(held), attributes({ size: one.size }));
    case "setSize":
      return await session.ask(TYPE.setstat, path(one.name), attributes({ size: one.size }));
    case "remove":
      return await session.ask(TYPE.remove, path(one.name));
    case "rename": {
      const names = [path(one.name), path(one.to)];
      return one.replace
        ? await session.ask(TYPE.extended, string("posix-rename@openssh.com"), ...names)
        : await session.ask(TYPE.rename, ...names);
    }
    case "stat":
      return await session.ask(TYPE.stat, path(one.name));
  }
}

function foretold(model: Model, one: Done, number: number): Heard | number {
  switch (one.do) {
    case "open":
      return model.open(one.who, number, one.name, one.flags);
    case "write":
      return model.write(one.who, number, one.at, one.bytes);
    case "read":
      return model.read(one.who, number, one.at, one.length);
    case "close":
      return model.close(one.who, number);
    case "resize":
      return model.resize(one.who, number, one.size);
    case "setSize":
      return model.setSize(one.who, one.name, one.size);
    case "remove":
      return model.remove(one.who, one.name);
    case "rename":
      return model.rename(one.who, one.name, one.to, one.replace);
    case "stat":
      return model.stat(one.name);
  }
}

export function heard(answer: Answer): Heard {
  if (answer.kind === "data") return { bytes: answer.bytes.toString("hex") };
  if (answer.kind !== "status") return "ok";
  if (answer.status === STATUS.eof) return "end";
  if (answer.status === STATUS.noSuchFile) return "absent";
  if (answer.status !== STATUS.ok) return "refused";
  return (/^(created|unchanged|removed) /.exec(answer.words)?.[1] as Heard | undefined) ?? "ok";
}

/** The session ends as a program does that was stopped; resolves when the receiver is done with it. */
async function leave(session: SftpSession): Promise<void> {
  const over = new Promise<void>((resolve) => session.bare.once("close", () => resolve()));
  session.bare.end();
  await over;
}
