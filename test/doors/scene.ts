/** What a case sees: one door of a running receiver, clients of its own, and what the receiver says and holds of them. */
import { hash, randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { encodePath, pathForUrl } from "@tributary/shared/path.ts";
import { type Entry, type Jwks, ROUTE } from "@tributary/shared/protocol.ts";
import { type ReceiptClaims, verifyReceipt } from "@tributary/shared/receipt.ts";
import { Agent, request } from "undici";
import { expect } from "vitest";
import { type Caller, caller } from "../site/caller.ts";
import type { Site } from "../site/site.ts";
import { codeOf, type Door, type Outcome, type Sender, type Sending, type Threshold } from "./door.ts";
import type { Sin } from "./sins.ts";

export const SOURCE = "files";
export const sha256 = (bytes: Buffer): string => hash("sha256", bytes, "hex");

export interface Brought {
  readonly receipt: string;
  readonly claims: ReceiptClaims;
}

/** One client at one door. */
export class Scene {
  readonly site: Site;
  readonly door: Door;
  readonly client: string;
  readonly #senders: Sender[] = [];
  #usual: Promise<Sender> | undefined;
  #readKey: Promise<string> | undefined;
  #reader: Promise<Caller> | undefined;
  #jwks: Promise<Jwks> | undefined;

  constructor(site: Site, door: Door, client: string) {
    this.site = site;
    this.door = door;
    this.client = client;
  }

  /** Where the door is. */
  get port(): number {
    return this.door.portOf(this.site);
  }

  /** The client is there from here on. */
  static async open(site: Site, door: Door, client: string): Promise<Scene> {
    await site.command("client", "add", client);
    return new Scene(site, door, client);
  }

  /** Who brings most files of this client. */
  async sender(): Promise<Sender> {
    this.#usual ??= this.enter();
    return await this.#usual;
  }

  /** Somebody else of this client. */
  async enter(at: Partial<Pick<Threshold, "port" | "rights">> = {}): Promise<Sender> {
    const { site, door, client } = this;
    const sender = await door.enter({ site, client, source: SOURCE, port: this.port, ...at });
    this.#senders.push(sender);
    return sender;
  }

  /** A file that may be sent again as the same capture, where the door can say so. */
  file(path: string, bytes: Buffer): Sending {
    const captures = this.door.cannot.captures === undefined;
    return { path: Buffer.from(path), bytes, ...(captures ? { captureId: randomUUID() } : {}) };
  }

  /** Delivered for certain: each receipt is checked for what it promises. */
  async bringAll(files: readonly Sending[], by?: Sender): Promise<readonly Brought[]> {
    const sender = by ?? (await this.sender());
    const outcomes = await sender.send(files);
    return await Promise.all(files.map((file, i) => this.delivered(file, outcomes[i] as Outcome, sender)));
  }

  async bring(file: Sending, by?: Sender): Promise<Brought> {
    const [brought] = await this.bringAll([file], by);
    return brought as Brought;
  }

  async delivered(file: Sending, outcome: Outcome, sender: Sender): Promise<Brought> {
    expect(outcome, encodePath(file.path).slice(0, 300)).toMatchObject({ kind: "receipt" });
    const { receipt } = outcome as Extract<Outcome, { kind: "receipt" }>;
    const claims = await this.claimsOf(receipt);
    expect(claims).toMatchObject({
      client: this.client,
      source: SOURCE,
      pathEncoded: encodePath(file.path),
      size: file.bytes.length,
      sha256: sha256(file.bytes),
      agentId: sender.bearer,
      ...(file.captureId === undefined ? {} : { captureId: file.captureId }),
    });
    expect(this.door.channels(file.bytes.length)).toContain(claims.channel);
    return { receipt, claims };
  }

  /** Throws when the receiver did not sign it. */
  async claimsOf(receipt: string): Promise<ReceiptClaims> {
    this.#jwks ??= this.reader().then(async (api) => (await api.call("GET", ROUTE.jwks)).body as Jwks);
    return verifyReceipt(receipt, await this.#jwks);
  }

  /** Refused under the sin's name, with nothing recorded. */
  async refused(sin: Sin, file: Sending, by?: Sender): Promise<void> {
    const before = await this.entries(file.path);
    const outcomes = await (by ?? (await this.sender())).send([file]);
    expect(outcomes, `${sin}: ${encodePath(file.path).slice(0, 300)}`).toMatchObject([
      { kind: "problem", code: codeOf(this.door, sin) },
    ]);
    expect(await this.entries(file.path)).toEqual(before);
  }

  /** Somebody who may read all that this client has. */
  async reader(): Promise<Caller> {
    this.#readKey ??= this.site.command("key", "add", "--client", this.client, "--scope", "read");
    this.#reader ??= this.#readKey.then((key) => caller(this.site, key));
    return await this.#reader;
  }

  /** Read again over HTTP. */
  async content(versionId: string): Promise<Buffer> {
    await this.reader();
    const dispatcher = new Agent({ connect: { ca: readFileSync(this.site.ca, "utf8") } });
    try {
      const { statusCode, body } = await request(`${this.site.url}${ROUTE.versions}/${versionId}/content`, {
        dispatcher,
        headers: { authorization: `Bearer ${await this.#readKey}` },
      });
      expect(statusCode).toBe(200);
      return Buffer.from(await body.arrayBuffer());
    } finally {
      await dispatcher.close();
    }
  }

  /** The ledger's entries of this client, in its order; of one path where it is named. `query`: further parameters. */
  async entries(path?: Buffer, query = ""): Promise<readonly Entry[]> {
    const api = await this.reader();
    const of = path === undefined ? "" : `&path=${pathForUrl(path)}`;
    const entries: Entry[] = [];
    for (let cursor: string | null = ""; cursor !== null; ) {
      const next: string = cursor === "" ? "" : `&cursor=${encodeURIComponent(cursor)}`;
      const { status, body } = await api.call("GET", `${ROUTE.versions}?limit=1000${of}${query}${next}`);
      expect(status, JSON.stringify(body)).toBe(200);
      entries.push(...body.entries);
      cursor = body.cursor;
    }
    return entries;
  }

  /** The object as it lies in the lake. */
  async object({ key }: Entry): Promise<Buffer> {
    return await this.site.lake.bytes(key as string);
  }

  /** Whoever came in beside the usual sender leaves. */
  async dismiss(): Promise<void> {
    const usual = await this.#usual;
    const others = this.#senders.filter((sender) => sender !== usual);
    this.#senders.splice(0, Infinity, ...(usual === undefined ? [] : [usual]));
    await Promise.all(others.map((sender) => sender.close()));
  }

  async close(): Promise<void> {
    const closing = this.#senders.map((sender) => sender.close());
    await Promise.all([...closing, this.#reader?.then((api) => api.close())]);
  }
}
