/** SFTP version 3 over one channel: many questions at once, each with its answer, whatever the order of the answers. */
import type { Duplex } from "node:stream";
import type { Attributes } from "@tributary/shared/sftp/attributes.ts";
import { MalformedPacket } from "@tributary/shared/sftp/fields.ts";
import { REQUEST, STATUS } from "@tributary/shared/sftp/words.ts";
import { RemoteError } from "../remote.ts";
import { type Answer, readAnswer, readVersion } from "./answers.ts";
import { Packets } from "./packets.ts";
import { Refused } from "./refused.ts";
import { type Field, packet } from "./requests.ts";
import type { Waits } from "./waits.ts";

/** What nearly all servers give at once. */
const USUAL_READ = 32 * 1024;
const MOST_READ = 255 * 1024;

interface Waiting {
  readonly since: number;
  resolve(answer: Answer): void;
  reject(error: RemoteError): void;
}

type Kind = Answer["kind"];
type Of<K extends Kind> = Extract<Answer, { readonly kind: K }>;

export class Session {
  readonly #channel: Duplex;
  readonly #at: string;
  readonly #waits: Waits;
  readonly #packets = new Packets();
  readonly #waiting = new Map<number, Waiting>();
  readonly #watch: NodeJS.Timeout;
  readonly #greeting = Promise.withResolvers<ReadonlySet<string>>();
  readonly #over = Promise.withResolvers<RemoteError>();
  #greeted = false;
  #heard = performance.now();
  #id = 0;
  #failed: RemoteError | undefined;
  /** Bytes to ask for at once. */
  readLength = USUAL_READ;

  /** `at`: what the server is called in messages. */
  constructor(channel: Duplex, at: string, waits: Waits) {
    this.#channel = channel;
    this.#at = at;
    this.#waits = waits;
    this.#watch = setInterval(() => this.#look(), waits.silence / 10).unref();
    this.#greeting.promise.catch(() => undefined);
    channel.on("data", (chunk: Buffer) => this.#take(chunk));
    channel.on("error", (error) => this.fail(this.#away(error.message)));
  }

  /** Section 4: which version both speak. */
  async greet(): Promise<void> {
    this.#heard = performance.now();
    this.#channel.write(packet(REQUEST.init, [3]));
    const extensions = await this.#greeting.promise;
    if (extensions.has("limits@openssh.com")) this.readLength = await this.#limit();
  }

  async #limit(): Promise<number> {
    const answer = await this.#ask(REQUEST.extended, [Buffer.from("limits@openssh.com")]);
    if (answer.kind !== "extended") return USUAL_READ;
    const [packetLength, read] = [answer.fields.uint64(), answer.fields.uint64()];
    const most = Math.min(read || USUAL_READ, (packetLength || USUAL_READ + 1024) - 1024, MOST_READ);
    return Math.max(4096, most);
  }

  /** Resolves once nothing can be asked any more, with the reason. */
  get over(): Promise<RemoteError> {
    return this.#over.promise;
  }

  /** Nothing is answered any more. */
  fail(error: RemoteError): void {
    if (this.#failed !== undefined) return;
    this.#failed = error;
    clearInterval(this.#watch);
    this.#greeting.reject(error);
    for (const waiting of this.#waiting.values()) waiting.reject(error);
    this.#waiting.clear();
    this.#over.resolve(error);
  }

  /** Throws Refused with what the server says, and RemoteError when no answer can come. */
  async #expect<K extends Kind>(kind: K, type: number, fields: readonly Field[]): Promise<Of<K>> {
    const answer = await this.#ask(type, fields);
    if (answer.kind === kind) return answer as Of<K>;
    if (answer.kind === "status" && answer.code !== STATUS.ok) throw new Refused(answer.code, answer.words);
    throw this.#broken(`an answer that is none to what was asked (${answer.kind})`);
  }

  async #done(type: number, fields: readonly Field[]): Promise<void> {
    const { code, words } = await this.#expect("status", type, fields);
    if (code !== STATUS.ok) throw new Refused(code, words);
  }

  async realPath(path: Buffer): Promise<Buffer> {
    const { names } = await this.#expect("name", REQUEST.realpath, [path]);
    const [first] = names;
    if (first === undefined) throw this.#broken("no name for a path");
    return first.name;
  }

  async lstat(path: Buffer): Promise<Attributes> {
    return (await this.#expect("attributes", REQUEST.lstat, [path])).attributes;
  }

  async stat(path: Buffer): Promise<Attributes> {
    return (await this.#expect("attributes", REQUEST.stat, [path])).attributes;
  }

  async fstat(handle: Buffer): Promise<Attributes> {
    return (await this.#expect("attributes", REQUEST.fstat, [handle])).attributes;
  }

  async open(path: Buffer, flags: number): Promise<Buffer> {
    return (await this.#expect("handle", REQUEST.open, [path, flags, {}])).handle;
  }

  async openFolder(path: Buffer): Promise<Buffer> {
    return (await this.#expect("handle", REQUEST.opendir, [path])).handle;
  }

  close(handle: Buffer): Promise<void> {
    return this.#done(REQUEST.close, [handle]);
  }

  /** Undefined: there are no more. */
  async readFolder(handle: Buffer): Promise<Of<"name">["names"] | undefined> {
    try {
      return (await this.#expect("name", REQUEST.readdir, [handle])).names;
    } catch (error) {
      if (error instanceof Refused && error.code === STATUS.eof) return undefined;
      throw error;
    }
  }

  /** Perhaps less than asked for; undefined: the file ends there. */
  async read(handle: Buffer, offset: number, length: number): Promise<Buffer | undefined> {
    try {
      const { bytes } = await this.#expect("data", REQUEST.read, [handle, BigInt(offset), length]);
      if (bytes.length > length) throw this.#broken("more of a file than was asked for");
      return bytes.length === 0 ? undefined : bytes;
    } catch (error) {
      if (error instanceof Refused && error.code === STATUS.eof) return undefined;
      throw error;
    }
  }

  remove(path: Buffer): Promise<void> {
    return this.#done(REQUEST.remove, [path]);
  }

  rename(from: Buffer, to: Buffer): Promise<void> {
    return this.#done(REQUEST.rename, [from, to]);
  }

  makeFolder(path: Buffer, permissions: number): Promise<void> {
    return this.#done(REQUEST.mkdir, [path, { permissions }]);
  }

  setPermissions(path: Buffer, permissions: number): Promise<void> {
    return this.#done(REQUEST.setstat, [path, { permissions }]);
  }

  #ask(type: number, fields: readonly Field[]): Promise<Answer> {
    if (this.#failed !== undefined) return Promise.reject(this.#failed);
    const id = this.#id;
    this.#id = (id + 1) >>> 0;
    return new Promise((resolve, reject) => {
      // While nobody waited, nothing had to come.
      if (this.#waiting.size === 0) this.#heard = performance.now();
      this.#waiting.set(id, { since: performance.now(), resolve, reject });
      this.#channel.write(packet(type, [id, ...fields]));
    });
  }

  #take(chunk: Buffer): void {
    this.#heard = performance.now();
    try {
      for (const one of this.#packets.cut(chunk)) this.#answered(one);
    } catch (error) {
      if (!(error instanceof MalformedPacket)) throw error;
      const said = this.#greeted ? "" : `, but ${JSON.stringify(chunk.toString("latin1", 0, 100))}`;
      this.#broken(`${error.message}${said}`);
    }
  }

  #answered(bytes: Buffer): void {
    if (!this.#greeted) {
      const { version, extensions } = readVersion(bytes);
      if (version < 3) throw new MalformedPacket(`version ${version} of it, and 3 is needed`);
      this.#greeted = true;
      this.#greeting.resolve(extensions);
      return;
    }
    const answer = readAnswer(bytes);
    const waiting = this.#waiting.get(answer.id);
    if (waiting === undefined) throw new MalformedPacket("an answer to what nobody asked");
    this.#waiting.delete(answer.id);
    waiting.resolve(answer);
  }

  #look(): void {
    const [first] = this.#waiting.values();
    const now = performance.now();
    const since = first?.since ?? (this.#greeted ? undefined : this.#heard);
    if (since === undefined) return;
    const silent = now - Math.max(since, this.#heard);
    if (silent > this.#waits.silence || now - since > this.#waits.answer)
      this.fail(
        this.#away(
          `no answer for ${Math.round((now - since) / 1000)} s: the server hangs, or the line is dead`,
        ),
      );
  }

  #away(reason: string): RemoteError {
    return new RemoteError("away", `${this.#at}: ${reason}`);
  }

  /** Nothing that comes is believed any more. */
  #broken(what: string): RemoteError {
    const error = this.#away(`what comes from there is no SFTP: ${what}`);
    this.fail(error);
    return error;
  }
}
