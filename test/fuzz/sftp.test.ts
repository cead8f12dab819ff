/**
 * The SFTP door, fuzzed by clients who have logged in: packets that are none, requests in any order against a model,
 * names of every spelling, cuts at any byte. Whatever comes, the receiver lives, memory has a bound, others are served,
 * and the ledger holds what was acknowledged and nothing else.
 */
import { hash, randomBytes } from "node:crypto";
import { readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { encodePath } from "@tributary/shared/path.ts";
import fc from "fast-check";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { startProxy } from "../network/proxy.ts";
import type { Running } from "../site/process.ts";
import { done, Sftp, SftpStatus } from "../site/sftp.ts";
import { attributes, OPEN, packet, STATUS, string, TYPE, uint32, uint64 } from "../site/sftp-wire.ts";
import { makeSite, peakMemory, type Site } from "../site/site.ts";
import { newSshKey } from "../site/ssh-key.ts";
import type { Heard, Model } from "./sftp-model.ts";
import { commands, heard, NAMES, play } from "./sftp-play.ts";
import { Witness } from "./witness.ts";

const SECONDS = Number(process.env.TRIBUTARY_FUZZ_SECONDS ?? 10);
const timeout = SECONDS * 1000 + 60_000;
/** A share of the time. */
const box = (share: number) =>
  ({
    numRuns: 1_000_000,
    interruptAfterTimeLimit: SECONDS * 1000 * share,
    markInterruptAsFailure: false,
  }) as const;
const sha256 = (bytes: Buffer): string => hash("sha256", bytes, "hex");

/** What was acknowledged: path inside its source, and digest; null: a removal. */
interface Acknowledged {
  readonly source: string;
  readonly pathEncoded: string;
  readonly sha256: string | null;
}

describe(`SFTP under ${SECONDS} s of rubbish`, () => {
  let site: Site;
  let receiver: Running;
  let witness: Witness;
  let around: readonly string[];
  const acknowledged = new Map<string, Acknowledged>();
  const { public: publicKey, private: privateKey } = newSshKey();
  const login = async (user = "fuzz", port = site.sftpPort): Promise<Sftp> =>
    await Sftp.connect({ port, user, privateKey });

  beforeAll(async () => {
    site = await makeSite({ sftp: true, receiver: { log: "error", sftp: { handles: 64 } } });
    const file = join(site.dir, "fuzz.pub");
    writeFileSync(file, publicKey);
    for (const client of ["fuzz", "witness"]) {
      await site.command("client", "add", client);
      const account = ["--client", client, "--user", client, "--public-key", file, "--access", "read-write"];
      await site.command("sftp", "add", ...account);
    }
    receiver = await site.serve();
    around = readdirSync(site.dir);
  });
  afterAll(async () => {
    await receiver?.stop();
    site?.remove();
  });
  beforeEach(async () => {
    witness = await Witness.begin(await login("witness"));
  });
  afterEach(async () => {
    expect(receiver.exited(), receiver.stderr().slice(-3000)).toBe(false);
    await witness.end();
    expect(peakMemory(receiver.pid)).toBeLessThan(400 * 2 ** 20);
  });

  /** fast-check leaves behind the run that its time ends in: what looks at all of them waits for it. */
  let underWay: Promise<unknown> = Promise.resolve();
  const toItsEnd =
    <A extends unknown[]>(run: (...args: A) => Promise<void>) =>
    async (...args: A): Promise<void> => {
      const one = run(...args);
      underWay = one.catch(() => {});
      await one;
    };

  /** Words of a version or a removal that stands behind them. */
  const heardOf = (words: string, what: Omit<Acknowledged, "sha256">, bytes: Buffer | null): Heard => {
    const [, status, versionId] = /^(created|unchanged|removed) ([0-9a-f-]{36})$/.exec(words) ?? [];
    if (status === undefined || versionId === undefined) return "ok";
    if (status !== "unchanged")
      acknowledged.set(versionId, { ...what, sha256: status === "removed" ? null : bytes && sha256(bytes) });
    return status as Heard;
  };

  test("packets that are none", { timeout }, async () => {
    const numbers = fc.oneof(
      fc.nat(300).map(uint32),
      fc.constantFrom(0, 1, 0x7fffffff, 0x80000000, 0xffffffff).map(uint32),
    );
    const part = fc.oneof(
      numbers,
      fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes)),
      fc.uint8Array({ maxLength: 40 }).map((bytes) => string(Buffer.from(bytes))),
      fc
        .constantFrom("/", "/fuzz/x", "posix-rename@openssh.com", "limits@openssh.com", "a".repeat(5000))
        .map(string),
      // Attributes with four billion extensions.
      fc.constant(Buffer.concat([uint32(0x80000000), uint32(0xffffffff), string("x")])),
    );
    const type = fc.oneof(fc.constantFrom(...Object.values(TYPE)), fc.integer({ min: 0, max: 255 }));
    const whole = fc.tuple(type, fc.array(part, { maxLength: 6 })).map(([of, parts]) => packet(of, ...parts));
    const broken = fc.oneof(
      { weight: 4, arbitrary: whole },
      fc.tuple(whole, fc.nat(40)).map(([bytes, n]) => bytes.subarray(0, n)),
      fc
        .tuple(numbers, fc.uint8Array({ maxLength: 50 }))
        .map(([length, bytes]) => Buffer.concat([length, bytes])),
      fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
    );
    let one = await login();
    await fc.assert(
      fc.asyncProperty(
        fc.array(broken, { maxLength: 12 }),
        fc.boolean(),
        toItsEnd(async (packets, greets) => {
          let ended = false;
          void one.ended.then(() => {
            ended = true;
          });
          const channel = await one.channel().catch(async () => {
            one = await login();
            return await one.channel();
          });
          channel.resume();
          const over = new Promise<void>((resolve) => channel.once("close", () => resolve()));
          if (greets) channel.write(packet(TYPE.init, uint32(3)));
          channel.end(Buffer.concat(packets));
          await Promise.race([over, one.ended]);
          if (ended) one = await login();
        }),
      ),
      box(0.3),
    );
    await underWay;
    one.destroy();
  });

  test("any requests, in any order, of two connections, against a model", { timeout }, async () => {
    let connections = await Promise.all([login(), login()]);
    let first = await (connections[0] as Sftp).session();
    await first.mkdir("/model");
    let runs = 0;
    const logs: { readonly folder: string; readonly log: Model["log"] }[] = [];
    await fc.assert(
      fc.asyncProperty(
        commands,
        toItsEnd(async (given) => {
          runs += 1;
          // A connection may have so many sessions, one after the other.
          if (runs % 100 === 0) {
            for (const one of connections) one.destroy();
            connections = await Promise.all([login(), login()]);
            first = await (connections[0] as Sftp).session();
          }
          const folder = `/model/${runs}`;
          const model = await play(given, folder, connections);
          for (const each of NAMES) {
            const heard = model.remove(-1, each);
            const words = await first.remove(`${folder}/${each}`).catch((error: Error) => error.message);
            expect(/^removed /.test(words), `${each}: ${words}`).toBe(heard === "removed");
          }
          logs.push({ folder: folder.slice("/model/".length), log: model.log });
        }),
      ),
      box(0.8),
    );
    await underWay;
    for (const one of connections) await one.close();
    const entries = await site.history("--client", "fuzz", "--source", "model");
    for (const { folder, log } of logs) {
      const there = entries.filter(({ pathEncoded }) => pathEncoded.startsWith(`${folder}/`));
      expect(there.map((entry) => [entry.pathEncoded, entry.sha256])).toEqual(
        log.map(([each, content]) => [`${folder}/${each}`, content && sha256(content)]),
      );
    }
    expect(logs.flatMap(({ log }) => log).length).toBeGreaterThan(0);
    for (const { versionId, pathEncoded, sha256 } of entries)
      acknowledged.set(versionId, { source: "model", pathEncoded, sha256 });
  });

  const SPELLINGS: readonly (string | Buffer)[] = [
    ...[
      "..",
      "../..",
      "%2e%2e",
      "..\\..",
      "C:",
      "C:\\x",
      "a\0b",
      "...",
      "/",
      "//",
      ".",
      "~",
      "-rf",
      "a/../../../b",
    ],
    ...[
      "\u2025",
      "\uff0e\uff0e",
      "con",
      ".history",
      ".receipts",
      "x".repeat(5000),
      "a/".repeat(4000),
      "witness",
      "%00",
    ],
    Buffer.from("c0ae", "hex"),
    Buffer.from("c0aec0ae", "hex"),
    Buffer.from("e080ae2f", "hex"),
    Buffer.from("fffe", "hex"),
    ...["a", "b", "d", "d/x", "t.tmp"],
  ];

  test("names of every spelling, folders and files of one name, links", { timeout }, async () => {
    const piece = fc.oneof(
      fc.constantFrom(...SPELLINGS),
      fc.uint8Array({ maxLength: 8 }).map((bytes) => Buffer.from(bytes)),
    );
    const path = fc
      .tuple(
        fc.constantFrom(
          "/any/",
          "/any/d/",
          "/",
          "",
          "/../any/",
          "/.history/",
          "/.receipts/any/",
          "/witness/",
        ),
        fc.array(piece, { minLength: 1, maxLength: 3 }),
      )
      .map(([head, pieces]) =>
        Buffer.concat([
          Buffer.from(head),
          ...pieces.flatMap((one, i) => [Buffer.from(i === 0 ? "" : "/"), Buffer.from(one as string)]),
        ]),
      );
    const act = fc.constantFrom(
      "put",
      "put",
      "put",
      "mkdir",
      "rmdir",
      "remove",
      "rename",
      "readlink",
      "setstat",
      "list",
      "stat",
      "realpath",
    );
    const connection = await login();
    const session = await connection.session();
    await session.mkdir("/any").catch(() => {});
    await fc.assert(
      fc.asyncProperty(
        path,
        path,
        act,
        toItsEnd(async (one, other, what) => {
          const bytes = Buffer.concat([one, randomBytes(8)]);
          const put = async (at: Buffer): Promise<void> => {
            const words = await session.put(at, bytes);
            heardOf(words, placeOf(at), bytes);
          };
          try {
            switch (what) {
              case "put":
                return await put(one);
              case "remove":
                return void heardOf(await session.remove(one), placeOf(one), null);
              case "rename": {
                // The version that it makes; its removal has no words of its own.
                await put(one);
                const before = placeOf(one);
                const words = await session.rename(one, other, true);
                if (heardOf(words, placeOf(other), bytes) === "ok") return;
                expect(before).not.toEqual(placeOf(other));
                return;
              }
              case "list":
                return void (await session.list(one));
              case "stat":
                return void (await session.stat(one));
              case "setstat":
                done(
                  await session.ask(
                    TYPE.setstat,
                    string(one),
                    attributes({ size: 2 ** 60, permissions: 0o4777, modified: 0xffffffff }),
                  ),
                );
                return;
              default:
                await session.ask(
                  TYPE[what as "mkdir"],
                  string(one),
                  what === "mkdir" ? attributes() : Buffer.alloc(0),
                );
            }
          } catch (error) {
            if (!(error instanceof SftpStatus)) throw error;
            expect(error.message).not.toMatch(/^internal/);
          }
        }),
      ),
      box(0.4),
    );
    await underWay;
    for (const type of [TYPE.symlink, TYPE.readlink])
      expect(await session.ask(type, string("/any/link"), string("/etc/passwd"))).toMatchObject({
        status: STATUS.unsupported,
      });
    expect(
      await session.ask(TYPE.extended, string("hardlink@openssh.com"), string("/any/a"), string("/any/l")),
    ).toMatchObject({ status: STATUS.unsupported });
    await connection.close();
  });

  test("numbers and counts that no file has", { timeout }, async () => {
    const connection = await login();
    const session = await connection.session();
    // A folder of its own: of `/any` a file may have been made by now, once it was empty.
    await session.mkdir("/count");
    const handle = await session.open("/count/numbers");
    await session.write(handle, Buffer.from("numbers"));
    for (const at of [2n ** 40n, 2n ** 52n, 2n ** 53n - 10n]) {
      expect(heard(await session.ask(TYPE.read, string(handle), uint64(at), uint32(0xffffffff)))).toBe("end");
      const other = await session.open(`/count/at ${at}`);
      expect(heard(await session.ask(TYPE.write, string(other), uint64(at), string("x")))).toBe("refused");
      expect(heard(await session.ask(TYPE.fsetstat, string(other), attributes({ size: at })))).toBe(
        "refused",
      );
      expect(heard(await session.ask(TYPE.close, string(other)))).toBe("refused");
    }
    // Above 2^53 no number is exact here.
    for (const at of [2n ** 53n, 2n ** 60n, 2n ** 63n, 2n ** 64n - 1n]) {
      const far = [
        ...[session.ask(TYPE.read, string(handle), uint64(at), uint32(9))],
        ...[session.ask(TYPE.write, string(handle), uint64(at), string("x"))],
        ...[session.ask(TYPE.fsetstat, string(handle), attributes({ size: at }))],
      ];
      for (const answer of await Promise.all(far))
        expect(answer).toMatchObject({ status: STATUS.unsupported });
    }
    expect(
      heardOf(await session.shut(handle), placeOf(Buffer.from("/count/numbers")), Buffer.from("numbers")),
    ).toBe("created");
    // Handles, opened and never closed.
    let refused = 0;
    let opened = 0;
    for (let round = 0; round < 5; round += 1) {
      const asked = Array.from({ length: 1000 }, () => session.ask(TYPE.opendir, string("/")));
      for (const answer of await Promise.all(asked))
        if (answer.kind === "handle") opened += 1;
        else refused += 1;
    }
    expect([opened, refused]).toEqual([64, 4936]);
    expect(
      heard(
        await session.ask(TYPE.open, string("/count/more"), uint32(OPEN.write | OPEN.create), attributes()),
      ),
    ).toBe("refused");
    await connection.close();
  });

  test("connections that end at any byte: what was acknowledged is there", { timeout }, async () => {
    const proxy = await startProxy({ target: { host: "127.0.0.1", port: site.sftpPort } });
    let files = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1500, max: 120_000 }),
        fc.boolean(),
        fc.constantFrom("", ".part"),
        toItsEnd(async (up, hard, suffix) => {
          proxy.set(hard ? { reset: { up } } : { cut: { up } });
          try {
            const connection = await login("fuzz", proxy.port);
            const session = await connection.session();
            await session.mkdir("/cut").catch(() => {});
            for (let i = 0; i < 6; i += 1) {
              files += 1;
              const bytes = randomBytes(25_000);
              const words = await session.put(`/cut/${files}${suffix}`, bytes);
              heardOf(
                suffix === "" ? words : await session.rename(`/cut/${files}${suffix}`, `/cut/${files}`),
                { source: "cut", pathEncoded: `${files}` },
                bytes,
              );
            }
            connection.destroy();
          } catch (error) {
            if (error instanceof SftpStatus) throw error;
          }
        }),
      ),
      box(0.3),
    );
    await underWay;
    await proxy.stop();
  });

  test("afterwards the ledger holds what was acknowledged, where it was put, and nothing else", {
    timeout: 60_000,
  }, async () => {
    const entries = await site.history("--client", "fuzz");
    const byVersion = new Map(entries.map((entry) => [entry.versionId, entry]));
    for (const [versionId, what] of acknowledged)
      expect(byVersion.get(versionId), versionId).toMatchObject(what);
    // Removals by a rename, and answers that were cut off, are not acknowledged one by one.
    const others = entries.filter(
      ({ versionId, source, kind }) => !acknowledged.has(versionId) && source !== "cut" && kind === "version",
    );
    expect(others).toEqual([]);
    // A folder that was made in `/` is a source.
    const made = SPELLINGS.map(String).filter((name) => /^[a-z0-9][a-z0-9-]{0,62}$/.test(name));
    const sources = ["model", "any", "count", "cut", "sftp", ...made];
    expect(entries.filter(({ source }) => !sources.includes(source))).toEqual([]);
    const witnessed = await site.history("--client", "witness");
    expect(witnessed.every(({ path }) => /^\d$/.test(path))).toBe(true);
    expect(readdirSync(site.dir)).toEqual(around);
    expect(readdirSync(join(site.dir, "receiver", "lake", "raw")).toSorted()).toEqual([
      "client=fuzz",
      "client=witness",
    ]);
    await site.command("verify");
  });

  /** Where a path leads, said once more. */
  function placeOf(path: Buffer): Omit<Acknowledged, "sha256"> {
    const steps: string[] = [];
    for (const step of path.toString("latin1").split("/")) {
      if (step === "..") steps.pop();
      else if (step !== "" && step !== ".") steps.push(step);
    }
    const [source, rest] = steps.length === 1 ? ["sftp", steps] : [steps[0] ?? "", steps.slice(1)];
    return { source, pathEncoded: encodePath(Buffer.from(rest.join("/"), "latin1")) };
  }
});
