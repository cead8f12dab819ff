/**
 * An SFTP client for the tests, over the SSH of ssh2 and an SFTP of its own: ssh2's would decode names as UTF-8, wait
 * for nobody, and never send what only a bad client sends. One connection, any number of sessions.
 */
import type { Duplex } from "node:stream";
import ssh2 from "ssh2";
import {
  type Answer,
  type Attributes,
  attributes,
  type Name,
  OPEN,
  packet,
  readAnswer,
  STATUS,
  string,
  TYPE,
  uint32,
  uint64,
} from "./sftp-wire.ts";

export interface SftpLogin {
  readonly port: number;
  readonly user: string;
  readonly privateKey?: string;
  readonly password?: string;
}

/** A status that is no success. */
export class SftpStatus extends Error {
  readonly status: number;

  constructor({ status, words }: Extract<Answer, { kind: "status" }>) {
    super(words);
    this.status = status;
  }

  /** The problem's code, which the words begin with. */
  get code(): string | undefined {
    return /^([a-z]+(?:-[a-z]+)*): /.exec(this.message)?.[1];
  }
}

/** The connection ended before the answer came. */
export class SftpLost extends Error {}
/** The receiver did not let it in. */
export class SftpRefused extends Error {}

export class Sftp {
  /** The SSH itself, for what no program does. */
  readonly ssh: ssh2.Client;
  /** Resolves when the connection has ended. */
  readonly ended: Promise<void>;

  constructor(client: ssh2.Client, ended: Promise<void>) {
    this.ssh = client;
    this.ended = ended;
  }

  /** Throws SftpRefused or SftpLost. */
  static async connect({ port, user, privateKey, password }: SftpLogin): Promise<Sftp> {
    const client = new ssh2.Client();
    // One for each session.
    client.setMaxListeners(0);
    const ended = new Promise<void>((resolve) => client.once("close", () => resolve()));
    await new Promise<void>((resolve, reject) => {
      client.once("ready", resolve);
      client.on("error", (error: Error & { level?: string }) =>
        reject(
          error.level === "client-authentication"
            ? new SftpRefused(error.message)
            : new SftpLost(error.message),
        ),
      );
      client.once("close", () => reject(new SftpLost("closed before the login")));
      client.connect({
        ...{ host: "127.0.0.1", port, username: user, readyTimeout: 60_000 },
        authHandler: [privateKey === undefined ? "password" : "publickey"],
        ...(privateKey === undefined ? {} : { privateKey }),
        ...(password === undefined ? {} : { password }),
      });
    });
    return new Sftp(client, ended);
  }

  /** The bare channel of the subsystem: nothing was sent on it yet. */
  async channel(): Promise<Duplex> {
    return await new Promise((resolve, reject) => {
      const lost = (): void => reject(new SftpLost("closed while the session was opened"));
      this.ssh.once("close", lost);
      try {
        this.ssh.subsys("sftp", (error, channel) => {
          this.ssh.off("close", lost);
          if (error === undefined || error === null) resolve(channel);
          else reject(error);
        });
      } catch (cause) {
        reject(new SftpLost(String(cause)));
      }
    });
  }

  async session(): Promise<SftpSession> {
    const session = new SftpSession(await this.channel(), this.ended);
    await session.begin();
    return session;
  }

  /** Says goodbye. */
  async close(): Promise<void> {
    this.ssh.end();
    await this.ended;
  }

  /** Says nothing. */
  destroy(): void {
    this.ssh.destroy();
  }
}

interface Asked {
  resolve(answer: Answer): void;
  reject(error: Error): void;
}

/** What a name may be given as. */
export type Path = Buffer | string;

export class SftpSession {
  readonly bare: Duplex;
  /** What the server says that it can do beside version 3. */
  readonly extensions = new Set<string>();
  readonly #asked = new Map<number, Asked>();
  #greeted: Asked | undefined;
  #rest: Buffer = Buffer.alloc(0);
  #last = 0;
  #lost: SftpLost | undefined;

  constructor(bare: Duplex, ended: Promise<void>) {
    this.bare = bare;
    bare.on("data", (chunk: Buffer) => this.#hear(chunk));
    for (const event of ["end", "close", "error"]) bare.once(event, () => this.#lose());
    void ended.then(() => this.#lose());
  }

  async begin(): Promise<void> {
    const greeted = new Promise<Answer>((resolve, reject) => {
      this.#greeted = { resolve, reject };
    });
    this.bare.write(packet(TYPE.init, uint32(3)));
    await greeted;
  }

  /** Any request, with whatever stands behind its id. */
  async ask(type: number, ...parts: readonly Buffer[]): Promise<Answer> {
    this.#last += 1;
    const id = this.#last;
    return await new Promise((resolve, reject) => {
      if (this.#lost !== undefined) {
        reject(this.#lost);
        return;
      }
      this.#asked.set(id, { resolve, reject });
      this.bare.write(packet(type, uint32(id), ...parts));
    });
  }

  async open(path: Path, flags: number = OPEN.write | OPEN.create | OPEN.truncate): Promise<Buffer> {
    const answer = await this.ask(TYPE.open, string(path), uint32(flags), attributes());
    return need(answer, "handle").handle;
  }

  /** The words that came with it. */
  async shut(handle: Buffer): Promise<string> {
    return done(await this.ask(TYPE.close, string(handle)));
  }

  /** At most `ahead` pieces on their way at once. Throws the first failure, once all are answered. */
  async write(handle: Buffer, bytes: Buffer, { at = 0, ahead = 64, piece = 32 * 1024 } = {}): Promise<void> {
    const under = new Set<Promise<void>>();
    let failure: Error | undefined;
    for (let from = 0; from < bytes.length && failure === undefined; from += piece) {
      const part = bytes.subarray(from, from + piece);
      const one: Promise<void> = this.ask(TYPE.write, string(handle), uint64(at + from), string(part))
        .then(done)
        .then(
          () => {},
          (error: Error) => {
            failure ??= error;
          },
        )
        .finally(() => under.delete(one));
      under.add(one);
      if (under.size >= ahead) await Promise.race(under);
    }
    await Promise.all(under);
    if (failure !== undefined) throw failure;
  }

  /** As good clients do: a whole file, in the place of what was there. The words of its close. */
  async put(path: Path, bytes: Buffer, options: { readonly ahead?: number } = {}): Promise<string> {
    const handle = await this.open(path);
    await this.write(handle, bytes, options).catch(async (error: unknown) => {
      await this.shut(handle).catch(() => {});
      throw error;
    });
    return await this.shut(handle);
  }

  async read(handle: Buffer, at: number | bigint, length: number): Promise<Buffer> {
    return need(await this.ask(TYPE.read, string(handle), uint64(at), uint32(length)), "data").bytes;
  }

  async get(path: Path): Promise<Buffer> {
    const handle = await this.open(path, OPEN.read);
    const pieces: Buffer[] = [];
    try {
      for (let at = 0; ; ) {
        const piece = await this.read(handle, at, 32 * 1024);
        pieces.push(piece);
        at += piece.length;
      }
    } catch (error) {
      if (!(error instanceof SftpStatus) || error.status !== STATUS.eof) throw error;
    }
    await this.shut(handle);
    return Buffer.concat(pieces);
  }

  async list(path: Path): Promise<Name[]> {
    const { handle } = need(await this.ask(TYPE.opendir, string(path)), "handle");
    const names: Name[] = [];
    for (;;) {
      const answer = await this.ask(TYPE.readdir, string(handle));
      if (answer.kind === "status" && answer.status === STATUS.eof) break;
      names.push(...need(answer, "names").names);
    }
    await this.shut(handle);
    return names;
  }

  async stat(path: Path): Promise<Attributes> {
    return need(await this.ask(TYPE.stat, string(path)), "attributes").attributes;
  }

  async mkdir(path: Path): Promise<void> {
    done(await this.ask(TYPE.mkdir, string(path), attributes()));
  }

  async rmdir(path: Path): Promise<void> {
    done(await this.ask(TYPE.rmdir, string(path)));
  }

  async remove(path: Path): Promise<string> {
    return done(await this.ask(TYPE.remove, string(path)));
  }

  /** `replace`: as POSIX does. */
  async rename(from: Path, to: Path, replace = false): Promise<string> {
    const names = [string(from), string(to)];
    return done(
      replace
        ? await this.ask(TYPE.extended, string("posix-rename@openssh.com"), ...names)
        : await this.ask(TYPE.rename, ...names),
    );
  }

  #hear(chunk: Buffer): void {
    this.#rest = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    while (this.#rest.length >= 4) {
      const length = this.#rest.readUInt32BE();
      if (this.#rest.length < 4 + length) return;
      const bytes = this.#rest.subarray(4, 4 + length);
      this.#rest = this.#rest.subarray(4 + length);
      if (bytes[0] === 2) {
        for (const [, name] of bytes.toString("latin1").matchAll(/([a-z-]+@openssh\.com)/g))
          this.extensions.add(name as string);
        this.#greeted?.resolve({ kind: "extended", bytes });
        continue;
      }
      const { id, answer } = readAnswer(bytes);
      this.#asked.get(id)?.resolve(answer);
      this.#asked.delete(id);
    }
  }

  #lose(): void {
    this.#lost ??= new SftpLost("the connection ended");
    this.#greeted?.reject(this.#lost);
    for (const { reject } of this.#asked.values()) reject(this.#lost);
    this.#asked.clear();
  }
}

/** Throws SftpStatus for what is no success. */
export function done(answer: Answer): string {
  const { status, words } = need(answer, "status");
  if (status !== STATUS.ok) throw new SftpStatus({ kind: "status", status, words });
  return words;
}

function need<K extends Answer["kind"]>(answer: Answer, kind: K): Extract<Answer, { kind: K }> {
  if (answer.kind === kind) return answer as Extract<Answer, { kind: K }>;
  if (answer.kind === "status") throw new SftpStatus(answer);
  throw new Error(`${answer.kind} came where ${kind} was asked for`);
}
