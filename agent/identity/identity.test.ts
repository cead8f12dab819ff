import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import {
  type Enrolled,
  identityChanges,
  loadIdentity,
  pendingKey,
  publicX,
  storeEnrolment,
} from "./identity.ts";

let dir: string;
let stored: Enrolled;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "tributary-identity-"));
  stored = {
    agentId: "00000000-0000-4000-8000-000000000000",
    name: "a",
    site: "00000000-0000-4000-8000-000000000001",
    url: "https://127.0.0.1:1",
    codeSha256: "",
    publicKey: publicX(pendingKey(dir)),
    clients: ["demo"],
    trust: { authorities: [], systemNamedAt: null },
    jwks: { keys: [] },
    nonce: "n",
    heartbeatSeconds: 10,
  };
  storeEnrolment(dir, stored);
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

test.for<[string, string, RegExp]>([
  ["identity.json", "{", /it is no whole JSON.*--replaces$/],
  ["identity.json", '{"publicKey":1}', /"publicKey" is missing or wrong.*--replaces$/],
  ["standing.json", "", /it is no whole JSON.*remove it$/],
  ["standing.json", "{}", /"publicKey" is missing or wrong.*remove it$/],
  ["key", "secret", /holds no private key.*--replaces$/],
])("a damaged %s (%s) is named in one line, with what to do", ([name, text, says]) => {
  writeFileSync(join(dir, name), text);
  const file = join(dir, name);
  expect(() => loadIdentity(dir)).toThrow(says);
  expect(() => loadIdentity(dir)).toThrow(new RegExp(`^${file} is damaged[^\\n{]*$`));
});

test("an enrolment beside is seen once, and a file that is damaged meanwhile when it is whole again", () => {
  const look = identityChanges(dir);
  expect(look()?.name).toBe("a");
  expect(look()).toBeUndefined();
  storeEnrolment(dir, { ...stored, name: "b" });
  expect(look()?.name).toBe("b");
  expect(look()).toBeUndefined();
  writeFileSync(join(dir, "identity.json"), "{");
  expect(look()).toBeUndefined();
  storeEnrolment(dir, { ...stored, name: "c" });
  expect(look()?.name).toBe("c");
});
