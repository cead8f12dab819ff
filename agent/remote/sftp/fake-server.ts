/** An SFTP server that does what OpenSSH never does. A real SSH server; its files are what a test says they are. */
import { generateKeyPairSync } from "node:crypto";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import type { Attributes } from "@tributary/shared/sftp/attributes.ts";
import { Fields } from "@tributary/shared/sftp/fields.ts";
import { ANSWER, REQUEST, STATUS } from "@tributary/shared/sftp/words.ts";
import ssh2, { type AuthContext, type Connection as SshClient } from "ssh2";
import type { Remote } from "../remote.ts";
import { hostKeyOf } from "./host-key.ts";
import { loadSsh2 } from "./library.ts";
import type { ReadSecret } from "./login.ts";
import { Packets } from "./packets.ts";
import { type SftpPlace, sftpRemote } from "./place.ts";
import { type Field, packet } from "./requests.ts";
import { WAITS, type Waits } from "./waits.ts";

export interface Asked {
  readonly type: number;
  readonly id: number;
  /** A path, or a handle, which is the path of what was opened. */
  readonly path: string;
  readonly offset: number;
  readonly length: number;
}

/** Undefined: nothing is answered. */
export type Said = Buffer | undefined;

export interface FakeOptions {
  readonly hostKeys?: readonly string[];
  login?(context: AuthContext): void;
  /** Before anything is said. */
  met?(client: SshClient): void;
  /** Path -> attributes; `/` is there. */
  readonly files?: Readonly<Record<string, Attributes>>;
  /** In place of what the fake says by itself. */
  answer?(asked: Asked, itself: () => Buffer): Said | Promise<Said>;
  readonly extensions?: readonly string[];
}

export const FOLDER: Attributes = { size: 0, permissions: 0o040755, accessed: 1, modified: 1 };
export const file = (size: number, more: Attributes = {}): Attributes => ({
  size,
  permissions: 0o100644,
  accessed: 1_700_000_000,
  modified: 1_700_000_000,
  ...more,
});
const PATTERN = Buffer.from(Array.from({ length: 251 * 40_000 }, (_, i) => i % 251));
/** What byte of a file is where; no more than 9 MB at once. */
export const contentAt = (offset: number, length: number): Buffer =>
  PATTERN.subarray(offset % 251, (offset % 251) + length);

export const status = (id: number, code: number, words = ""): Buffer =>
  packet(ANSWER.status, [id, code, Buffer.from(words), Buffer.from("en")]);
export const attributes = (id: number, of: Attributes): Buffer => packet(ANSWER.attrs, [id, of]);
export const data = (id: number, bytes: Buffer): Buffer => packet(ANSWER.data, [id, bytes]);
export const names = (id: number, all: readonly (readonly [Buffer | string, Attributes])[]): Buffer =>
  packet(ANSWER.name, [
    id,
    all.length,
    ...all.flatMap(([name, of]): Field[] => [Buffer.from(name as string), Buffer.from("?"), of]),
  ]);

export function hostKey(kind: "ecdsa" | "rsa" = "ecdsa"): string {
  const { privateKey } =
    kind === "rsa"
      ? generateKeyPairSync("rsa", { modulusLength: 2048 })
      : generateKeyPairSync("ec", { namedCurve: "P-256" });
  return String(privateKey.export({ type: kind === "rsa" ? "pkcs1" : "sec1", format: "pem" }));
}

export function fingerprintOf(key: string): string {
  const parsed = ssh2.utils.parseKey(key);
  if (parsed instanceof Error) throw parsed;
  return hostKeyOf(parsed.getPublicSSH()).fingerprint;
}

export interface Fake extends AsyncDisposable {
  readonly port: number;
  readonly fingerprints: readonly string[];
  readonly connections: ReadonlySet<SshClient>;
  /** All that was asked. */
  readonly asked: readonly Asked[];
  /** By user u with a password that is right, unless `settings` have others. */
  remote(settings?: Partial<SftpPlace>, waits?: Partial<Waits>, read?: ReadSecret): Promise<Remote>;
}

export async function fakeServer(options: FakeOptions = {}): Promise<Fake> {
  const keys = options.hostKeys ?? [hostKey()];
  const asked: Asked[] = [];
  const connections = new Set<SshClient>();
  const server = new ssh2.Server({ hostKeys: [...keys] }, (client) => {
    options.met?.(client);
    connections.add(client);
    (client as unknown as { setNoDelay(on: boolean): void }).setNoDelay(true);
    client.on("error", () => undefined);
    client.on("close", () => connections.delete(client));
    client.on("authentication", (context) => {
      if (options.login !== undefined) options.login(context);
      else if (context.method === "password" && context.password === "right") context.accept();
      else context.reject(["password"]);
    });
    client.on("session", (accept) => {
      accept().on("subsystem", (acceptIt) => serve(acceptIt(), options, asked));
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const fingerprints = keys.map(fingerprintOf);
  return {
    port,
    fingerprints,
    connections,
    asked,
    async remote(settings = {}, waits = {}, read = () => Promise.resolve("right")) {
      const place = { host: "127.0.0.1", port, user: "u", hostKeys: fingerprints, path: "/", legacy: false };
      return sftpRemote({ ...place, password: { secret: "password" }, ...settings }, read, await loadSsh2(), {
        ...WAITS,
        ...waits,
      });
    },
    async [Symbol.asyncDispose]() {
      for (const client of connections) client.end();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

type Channel = NodeJS.ReadWriteStream;

function serve(channel: Channel, options: FakeOptions, asked: Asked[]): void {
  const packets = new Packets();
  const listed = new Set<string>();
  channel.on("data", (chunk: Buffer) => {
    for (const bytes of packets.cut(chunk)) void answer(bytes);
  });
  async function answer(bytes: Buffer): Promise<void> {
    if (bytes[0] === REQUEST.init) {
      const extensions = (options.extensions ?? []).flatMap((name) => [Buffer.from(name), Buffer.from("1")]);
      channel.write(packet(ANSWER.version, [3, ...extensions]));
      return;
    }
    const one = readAsked(bytes);
    asked.push(one);
    const itself = (): Buffer => usual(one, options.files ?? {}, listed);
    const said = options.answer === undefined ? itself() : await options.answer(one, itself);
    if (said !== undefined) channel.write(said);
  }
}

function readAsked(bytes: Buffer): Asked {
  const fields = new Fields(bytes, 1);
  const id = fields.uint32();
  const path = fields.string().toString("latin1");
  const read = bytes[0] === REQUEST.read;
  return {
    type: bytes[0] ?? 0,
    id,
    path,
    offset: read ? fields.uint64() : 0,
    length: read ? fields.uint32() : 0,
  };
}

function usual(
  { type, id, path, offset, length }: Asked,
  files: FakeOptions["files"],
  listed: Set<string>,
): Buffer {
  const found = path === "/" ? FOLDER : files?.[path];
  switch (type) {
    case REQUEST.realpath:
      return names(id, [[Buffer.from(path, "latin1"), {}]]);
    case REQUEST.close:
      listed.delete(path);
      return status(id, STATUS.ok);
    case REQUEST.readdir: {
      if (listed.has(path)) return status(id, STATUS.eof);
      listed.add(path);
      const folder = path === "/" ? "/" : `${path}/`;
      const inside = Object.entries(files ?? {}).filter(
        ([one]) => one.startsWith(folder) && !one.slice(folder.length).includes("/"),
      );
      const entries = inside.map(
        ([one, of]) => [Buffer.from(one.slice(folder.length), "latin1"), of] as const,
      );
      return names(id, [[".", FOLDER], ["..", FOLDER], ...entries]);
    }
  }
  if (found === undefined) return status(id, STATUS.noSuchFile, "No such file");
  switch (type) {
    case REQUEST.lstat:
    case REQUEST.stat:
    case REQUEST.fstat:
      return attributes(id, found);
    case REQUEST.open:
    case REQUEST.opendir:
      return packet(ANSWER.handle, [id, Buffer.from(path, "latin1")]);
    case REQUEST.read: {
      const there = Math.min(length, (found.size ?? 0) - offset);
      return there <= 0 ? status(id, STATUS.eof) : data(id, contentAt(offset, there));
    }
    default:
      return status(id, STATUS.unsupported);
  }
}
