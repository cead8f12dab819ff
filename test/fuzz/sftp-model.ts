/**
 * What the SFTP door promises, as simple as it can be said: a folder of files under way and of versions, and handles.
 * Each call gives what the client must hear: `created` and `unchanged` when a version stands behind it.
 */
import { OPEN } from "../site/sftp-wire.ts";

export type Heard =
  | "ok"
  | "refused"
  | "absent"
  | "end"
  | "created"
  | "unchanged"
  | "removed"
  | { readonly bytes: string };

interface Under {
  name: string;
  bytes: Buffer;
  written: Buffer;
  closed: boolean;
  /** Its session was cut, or another took it over, and nothing was written since. */
  interrupted: boolean;
  /** Its own session removed it while it was open. */
  removed: boolean;
  /** It is recorded, or given up. */
  over: boolean;
  users: number;
  turn: number;
  owner: number | undefined;
}

type Open =
  | { readonly kind: "version"; readonly bytes: Buffer }
  | { readonly kind: "look"; readonly one: Under }
  | {
      readonly kind: "write";
      name: string;
      readonly append: boolean;
      one: Under | undefined;
      base: Buffer | undefined;
      turn: number;
      /** Something came through this handle. */
      wrote: boolean;
    };

const NOTHING = Buffer.alloc(0);
const isTemporary = (name: string): boolean => /^[._]|\.part$/.test(name);

export class Model {
  /** Each entry, in order; null: a removal. */
  readonly log: (readonly [name: string, bytes: Buffer | null])[] = [];
  readonly #versions = new Map<string, Buffer>();
  readonly #under = new Map<string, Under>();
  readonly #handles = new Map<number, Map<number, Open>>();
  /** Refused at their close, and whether a look at them was told so. */
  readonly #refused = new Map<string, { told: boolean }>();

  open(who: number, handle: number, name: string, flags: number): Heard {
    const under = this.#under.get(name);
    const version = this.#versions.get(name);
    const there = under !== undefined || version !== undefined;
    const writes = (flags & ~OPEN.read) !== 0;
    if (!there && !(flags & OPEN.create)) return "absent";
    if (there && flags & OPEN.create && flags & OPEN.exclusive) return "refused";
    if (!writes) {
      this.#add(
        who,
        handle,
        under === undefined ? { kind: "version", bytes: version ?? NOTHING } : { kind: "look", one: under },
      );
      return "ok";
    }
    this.#refused.delete(name);
    const begins = !there || (flags & OPEN.truncate) !== 0;
    const one = begins ? this.#begin(name, NOTHING) : under;
    const open: Open = {
      ...{ kind: "write", name, append: (flags & OPEN.append) !== 0, one: undefined, turn: 0, wrote: false },
      base: one === undefined ? version : undefined,
    };
    if (one !== undefined) this.#take(who, open, one);
    this.#add(who, handle, open);
    return "ok";
  }

  write(who: number, handle: number, at: number, bytes: Buffer): Heard {
    const open = this.#handles.get(who)?.get(handle);
    if (open?.kind !== "write") return "refused";
    const one = this.#begun(who, open);
    if (one === undefined) return "refused";
    open.wrote = true;
    if (one.removed) return "refused";
    const from = open.append ? one.bytes.length : at;
    one.closed = false;
    one.interrupted = false;
    if (bytes.length > 0) extend(one, Math.max(one.bytes.length, from + bytes.length), false);
    bytes.copy(one.bytes, from);
    if (bytes.length > 0) one.written.fill(1, from, from + bytes.length);
    return "ok";
  }

  read(who: number, handle: number, at: number, length: number): Heard {
    const open = this.#handles.get(who)?.get(handle);
    if (open === undefined) return "refused";
    if (open.kind === "look" && this.#under.get(open.one.name) !== open.one) return "refused";
    const bytes =
      open.kind === "version" ? open.bytes : open.kind === "look" ? open.one.bytes : this.#seenBy(open);
    if (bytes === undefined) return "refused";
    return at >= bytes.length ? "end" : { bytes: bytes.subarray(at, at + length).toString("hex") };
  }

  /** Nothing is begun by reading. */
  #seenBy(open: Extract<Open, { kind: "write" }>): Buffer | undefined {
    if (!this.#settle(open)) return undefined;
    if (open.one === undefined) return open.base ?? NOTHING;
    return open.one.turn === open.turn ? open.one.bytes : undefined;
  }

  resize(who: number, handle: number, size: number): Heard {
    const open = this.#handles.get(who)?.get(handle);
    if (open === undefined) return "refused";
    if (open.kind !== "write") return "ok";
    if (!this.#settle(open)) return "refused";
    if (size === 0 && open.one === undefined) open.base = NOTHING;
    const one = this.#begun(who, open);
    if (one === undefined) return "refused";
    open.wrote = true;
    if (one.removed) return "refused";
    one.closed = false;
    one.interrupted = false;
    extend(one, size, true);
    return "ok";
  }

  close(who: number, handle: number): Heard {
    const open = this.#handles.get(who)?.get(handle);
    if (open === undefined) return "refused";
    this.#handles.get(who)?.delete(handle);
    if (open.kind !== "write") return "ok";
    if (!this.#settle(open)) return "refused";
    if (open.one === undefined) return "ok";
    return this.#shut(open, open.one);
  }

  /** The session ends without a word. */
  cut(who: number): void {
    for (const open of this.#handles.get(who)?.values() ?? []) {
      if (open.kind !== "write" || open.one === undefined || open.one.turn !== open.turn) continue;
      if (open.one.over) continue;
      open.one.users -= 1;
      if (open.one.users > 0) continue;
      open.one.interrupted = !open.one.closed;
      if (open.one.removed || open.one.bytes.length > 0 || open.one.closed) continue;
      this.#forget(open.one);
      // What was given up empty is what its sender tidies up.
      this.#refused.set(open.name, { told: true });
    }
    this.#handles.delete(who);
  }

  stat(name: string): Heard | number {
    const refused = this.#refused.get(name);
    if (refused?.told === false) {
      refused.told = true;
      return "refused";
    }
    return this.#size(name) ?? "absent";
  }

  #size(name: string): number | undefined {
    return (this.#under.get(name)?.bytes ?? this.#versions.get(name))?.length;
  }

  setSize(who: number, name: string, size: number): Heard {
    const under = this.#under.get(name);
    const version = this.#versions.get(name);
    if (under !== undefined) {
      extend(under, size, true);
      return "ok";
    }
    if (version === undefined) return "absent";
    this.#refused.delete(name);
    const one = this.#begin(name, size === 0 ? NOTHING : version);
    one.owner = who;
    extend(one, size, true);
    return this.#commit(one) === undefined ? "refused" : "ok";
  }

  remove(who: number, name: string): Heard {
    const under = this.#under.get(name);
    // What was refused, or just begun, is what its sender tidies up, and not the version behind it.
    if (this.#refused.delete(name)) {
      if (under?.users === 0) this.#under.delete(name);
      return "ok";
    }
    if (under !== undefined) this.#under.delete(name);
    // Of another session's its writer goes on for himself.
    if (under !== undefined && under.users > 0 && under.owner === who) under.removed = true;
    if (under?.closed === false) return "ok";
    if (!this.#versions.has(name)) return under === undefined ? "absent" : "ok";
    this.#versions.delete(name);
    this.log.push([name, null]);
    return "removed";
  }

  rename(who: number, from: string, to: string, replace: boolean): Heard {
    const under = this.#under.get(from);
    const version = this.#versions.get(from);
    if (under === undefined && version === undefined) return "absent";
    if (from === to) return "ok";
    if (!replace && this.#size(to) !== undefined) return "refused";
    if (under !== undefined) {
      if (!under.closed && under.users > 0 && under.owner !== who) return "refused";
      const waits = isTemporary(to) || (!under.closed && under.users > 0);
      if (!waits && !under.closed) return "refused";
      this.#refused.delete(to);
      this.#under.delete(from);
      under.name = to;
      this.#under.set(to, under);
      return waits ? "ok" : this.#commit(under);
    }
    this.#refused.delete(to);
    const one = this.#begin(to, version as Buffer);
    let heard: Heard = "ok";
    if (isTemporary(to)) one.closed = true;
    else heard = this.#commit(one);
    this.#versions.delete(from);
    this.log.push([from, null]);
    return heard;
  }

  #shut(open: Extract<Open, { kind: "write" }>, one: Under): Heard {
    if (one.turn !== open.turn) return "refused";
    one.users -= 1;
    if (one.users > 0 && (!open.wrote || (!one.removed && one.written.includes(0)))) return "ok";
    if (one.removed) {
      one.over = true;
      return "refused";
    }
    if (one.written.includes(0) || one.interrupted) {
      this.#refused.set(open.name, { told: false });
      return "refused";
    }
    if (!isTemporary(one.name)) return this.#commit(one);
    if (this.#under.get(one.name) !== one) {
      one.over = true;
      this.#refused.set(open.name, { told: false });
      return "refused";
    }
    one.closed = true;
    return "ok";
  }

  #commit(one: Under): Heard {
    one.over = true;
    this.#forget(one);
    if (this.#versions.get(one.name)?.equals(one.bytes)) return "unchanged";
    this.#versions.set(one.name, one.bytes);
    this.log.push([one.name, one.bytes]);
    return "created";
  }

  #forget(one: Under): void {
    if (this.#under.get(one.name) === one) this.#under.delete(one.name);
  }

  #begin(name: string, bytes: Buffer): Under {
    const one: Under = {
      ...{ name, bytes: Buffer.from(bytes), written: Buffer.alloc(bytes.length, 1) },
      ...{
        closed: false,
        interrupted: false,
        removed: false,
        over: false,
        users: 0,
        turn: 0,
        owner: undefined,
      },
    };
    this.#under.set(name, one);
    return one;
  }

  /** What another handle has closed is a version, and what follows alters that. False: it came to nothing. */
  #settle(open: Extract<Open, { kind: "write" }>): boolean {
    const { one } = open;
    if (one === undefined || !one.over || one.turn !== open.turn) return true;
    if (one.removed) return false;
    open.one = undefined;
    open.wrote = false;
    open.name = one.name;
    open.base = this.#versions.get(one.name);
    return true;
  }

  #begun(who: number, open: Extract<Open, { kind: "write" }>): Under | undefined {
    if (!this.#settle(open)) return undefined;
    if (open.one !== undefined) return open.one.turn === open.turn ? open.one : undefined;
    const one = this.#begin(open.name, open.base ?? NOTHING);
    this.#take(who, open, one);
    return one;
  }

  /** The later one has it. */
  #take(who: number, open: Extract<Open, { kind: "write" }>, one: Under): void {
    if (one.owner !== who) {
      if (one.owner !== undefined) one.interrupted = !one.closed;
      one.owner = who;
      one.turn += 1;
      one.users = 0;
    }
    one.users += 1;
    open.one = one;
    open.turn = one.turn;
  }

  #add(who: number, handle: number, open: Open): void {
    const own = this.#handles.get(who) ?? new Map<number, Open>();
    own.set(handle, open);
    this.#handles.set(who, own);
  }
}

/** To exactly that size; what is new was `written`, or is a gap. */
function extend(one: Under, size: number, written: boolean): void {
  const grown = (bytes: Buffer, fill: number): Buffer =>
    Buffer.concat([bytes.subarray(0, size), Buffer.alloc(Math.max(0, size - bytes.length), fill)]);
  one.bytes = grown(one.bytes, 0);
  one.written = grown(one.written, written ? 1 : 0);
}
