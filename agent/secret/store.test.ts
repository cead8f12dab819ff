import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import fc from "fast-check";
import { afterEach, beforeEach, expect, test } from "vitest";
import { pendingKey, publicX, storeEnrolment } from "../identity/identity.ts";
import { removeSecret, SecretStore, setSecret } from "./store.ts";

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "tributary-secret-"));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const now = new Date("2026-01-01T00:00:00Z");
const set = (name: string, value: string): void => setSecret(dir, name, value, now);
const get = (name: string): string | undefined => new SecretStore(dir).get(name);
const file = (name: string): string => readFileSync(join(dir, name), "utf8");
const posix = process.platform !== "win32";

test("what was set is read, in whatever names and values", () => {
  for (const name of ["pw", "constructor", "a.b-c_d", "9"]) set(name, `value of ${name}`);
  set("pw", "another\nvalue \u{1f511}");
  expect(get("pw")).toBe("another\nvalue \u{1f511}");
  expect(get("constructor")).toBe("value of constructor");
  for (const name of ["toString", "hasOwnProperty", "nope"]) expect(get(name)).toBeUndefined();
  expect(new SecretStore(dir).list().map(({ name }) => name)).toEqual(["9", "a.b-c_d", "constructor", "pw"]);
  expect(removeSecret(dir, "pw")).toBe(true);
  expect(removeSecret(dir, "pw")).toBe(false);
  expect([get("pw"), get("9")]).toEqual([undefined, "value of 9"]);
});

test.runIf(posix)("both files are this account's alone, whatever the umask", () => {
  const before = process.umask(0);
  try {
    set("pw", "value");
  } finally {
    process.umask(before);
  }
  for (const name of ["secrets.json", "secret-key"])
    expect(statSync(join(dir, name)).mode & 0o777).toBe(0o600);
});

test("each value is closed with a nonce of its own", () => {
  set("a", "same");
  const first = JSON.parse(file("secrets.json")).secrets.a.closed;
  set("a", "same");
  expect(JSON.parse(file("secrets.json")).secrets.a.closed).not.toBe(first);
});

test("no file of the folder holds the value, plain or in Base64", () => {
  fc.assert(
    fc.property(fc.string({ unit: "grapheme", minLength: 5, maxLength: 300 }), (value) => {
      set("pw", value);
      expect(get("pw")).toBe(value);
      for (const name of readdirSync(dir)) {
        const bytes = readFileSync(join(dir, name));
        expect(bytes.includes(value)).toBe(false);
        expect(bytes.includes(Buffer.from(value).toString("base64url"))).toBe(false);
      }
    }),
    { numRuns: 30 },
  );
});

test("a value that was moved to another name does not open", () => {
  set("a", "of a");
  set("b", "of b");
  const stored = JSON.parse(file("secrets.json"));
  stored.secrets.b = stored.secrets.a;
  writeFileSync(join(dir, "secrets.json"), JSON.stringify(stored));
  expect(get("a")).toBe("of a");
  expect(() => get("b")).toThrow(/the secret b in .*secrets\.json cannot be opened.*secret set b/);
});

test.for<[string, string]>([
  ["secrets.json", "{"],
  ["secrets.json", ""],
  ["secrets.json", '{"format":2,"secrets":{}}'],
  ["secrets.json", '{"format":1,"secrets":{"pw":{"setAt":"2026-01-01T00:00:00Z","closed":"hunter2!"}}}'],
  ["secret-key", ""],
  ["secret-key", "c2hvcnQ"],
])("a damaged %s (%s) is named with what to do, and never written over", ([name, text]) => {
  set("pw", "hunter2");
  writeFileSync(join(dir, name), text);
  const says = new RegExp(
    `^${join(dir, name)} is damaged.*restore secret-key and secrets.json.*secret set NAME$`,
  );
  expect(() => get("pw")).toThrow(says);
  expect(() => set("pw", "new")).toThrow(says);
  expect(file(name)).toBe(text);
  expect(() => get("pw")).not.toThrow(/hunter2/);
});

test("a key that is gone, or another one, is told; no second key gets into the file", () => {
  set("pw", "value");
  set("other", "value");
  const key = file("secret-key");
  const before = file("secrets.json");
  rmSync(join(dir, "secret-key"));
  expect(() => get("pw")).toThrow(/secret-key is gone.*secret remove pw --force/);
  expect(() => set("pw", "new")).toThrow(/the secret other .*secret-key is gone/);
  writeFileSync(join(dir, "secret-key"), `${Buffer.alloc(32, 1).toString("base64url")}\n`);
  expect(() => get("pw")).toThrow(/does not fit .*secret-key/);
  expect(() => set("pw", "new")).toThrow(/does not fit/);
  expect(file("secrets.json")).toBe(before);
  // The way out that the messages name.
  removeSecret(dir, "other");
  set("pw", "new");
  expect(get("pw")).toBe("new");
  writeFileSync(join(dir, "secret-key"), key);
  expect(() => get("pw")).toThrow(/does not fit/);
});

test("one that is open already takes up what another process set or removed", () => {
  const store = new SecretStore(dir);
  expect(store.get("pw")).toBeUndefined();
  set("pw", "first");
  expect(store.get("pw")).toBe("first");
  set("pw", "other");
  expect(store.get("pw")).toBe("other");
  removeSecret(dir, "pw");
  expect(store.get("pw")).toBeUndefined();
  writeFileSync(join(dir, "secrets.json"), "{");
  expect(() => store.get("pw")).toThrow(/damaged/);
  expect(() => store.get("pw")).toThrow(/damaged/);
  rmSync(join(dir, "secrets.json"));
  set("pw", "whole again");
  expect(store.get("pw")).toBe("whole again");
});

test("secrets survive a new enrolment, which gives the host a new key", () => {
  const enrol = (): string => {
    const publicKey = publicX(pendingKey(dir));
    storeEnrolment(dir, {
      ...{ agentId: "00000000-0000-4000-8000-000000000000", name: "a", codeSha256: "", clients: ["demo"] },
      ...{ site: "00000000-0000-4000-8000-000000000001", url: "https://127.0.0.1:1", publicKey },
      ...{
        trust: { authorities: [], systemNamedAt: null },
        jwks: { keys: [] },
        nonce: "n",
        heartbeatSeconds: 10,
      },
    });
    return publicKey;
  };
  const first = enrol();
  set("pw", "value");
  expect(enrol()).not.toBe(first);
  expect(get("pw")).toBe("value");
});

/** Sets a secret in a process that dies by SIGKILL before or after the n-th call of this function of node:fs. */
function killedAt(call: string, n: number, after: boolean): boolean {
  const script = `
    import fs from "node:fs";
    import { syncBuiltinESMExports } from "node:module";
    const { setSecret } = await import(${JSON.stringify(pathToFileURL(join(import.meta.dirname, "store.ts")).href)});
    const real = fs[${JSON.stringify(call)}];
    let left = ${n};
    fs[${JSON.stringify(call)}] = (...args) => {
      if (--left === 0 && !${after}) process.kill(process.pid, "SIGKILL");
      const answer = real(...args);
      if (left === 0) process.kill(process.pid, "SIGKILL");
      return answer;
    };
    syncBuiltinESMExports();
    setSecret(${JSON.stringify(dir)}, "pw", "new", new Date());`;
  const { signal, stderr } = spawnSync(process.execPath, ["--input-type=module", "-e", script], {
    encoding: "utf8",
  });
  expect(stderr.replace(/^.*Warning.*$/gm, "").trim()).toBe("");
  return signal === "SIGKILL";
}

test.runIf(posix)(
  "each file is written beside, fsynced, renamed, and its folder fsynced: the key first",
  () => {
    const script = `
    import fs from "node:fs";
    import { syncBuiltinESMExports } from "node:module";
    import { basename } from "node:path";
    const { setSecret } = await import(${JSON.stringify(pathToFileURL(join(import.meta.dirname, "store.ts")).href)});
    const names = new Map();
    const nameOf = (one) => basename(names.get(one) ?? String(one)).replace(/[.]\\d+[.]tmp$/, "~").replace(/^tributary-secret-.*/, "folder");
    for (const call of ["openSync", "writeFileSync", "fsyncSync", "renameSync"]) {
      const real = fs[call];
      fs[call] = (...args) => {
        const answer = real(...args);
        if (call === "openSync") names.set(answer, args[0]);
        else console.log(call, nameOf(args[0]));
        return answer;
      };
    }
    syncBuiltinESMExports();
    setSecret(${JSON.stringify(dir)}, "pw", "new", new Date());`;
    const { stdout } = spawnSync(process.execPath, ["--input-type=module", "-e", script], {
      encoding: "utf8",
    });
    const steps = (name: string): string[] => [
      `writeFileSync ${name}~`,
      `fsyncSync ${name}~`,
      `renameSync ${name}~`,
      "fsyncSync folder",
    ];
    expect(stdout.trim().split("\n")).toEqual([...steps("secret-key"), ...steps("secrets.json")]);
  },
);

test.runIf(posix).for(["openSync", "writeFileSync", "fsyncSync", "renameSync"])(
  "killed at any %s of `set`: the old value or the new one, the others always, and no rest of it stays",
  (call) => {
    let kills = 0;
    for (const after of [false, true])
      for (let n = 1; ; n += 1) {
        for (const name of readdirSync(dir)) rmSync(join(dir, name));
        set("pw", "old");
        set("other", "value");
        if (!killedAt(call, n, after)) break;
        kills += 1;
        expect(["old", "new"]).toContain(get("pw"));
        // Before the rename nothing counts.
        if (call === "writeFileSync") expect(get("pw")).toBe("old");
        expect(get("other")).toBe("value");
        set("pw", "newest");
        expect(get("pw")).toBe("newest");
        expect(readdirSync(dir).sort()).toEqual(["secret-key", "secrets.json"]);
      }
    expect(kills).toBeGreaterThan(1);
  },
);

test.runIf(posix)("killed while the very first is set: the next one goes on from there", () => {
  for (let n = 1; ; n += 1) {
    for (const name of readdirSync(dir)) rmSync(join(dir, name));
    if (!killedAt("renameSync", n, true)) break;
    set("other", "value");
    expect(get("other")).toBe("value");
  }
});
