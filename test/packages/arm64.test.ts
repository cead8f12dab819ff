/** The programs for arm64, by qemu on this machine: that they start, and that SQLite in them works. */
import { openSync, readSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { createSandbox, type Sandbox } from "../servers/sandbox.ts";

const { dist, version } = inject("packages");

let sandbox: Sandbox;

beforeAll(async () => {
  sandbox = await createSandbox("arm64");
});

afterAll(async () => await sandbox.stop());

/** Debian's C library for arm64 stands in for the host's. */
const emulated = async (name: string, ...words: readonly string[]): Promise<string> =>
  await sandbox.run("qemu-aarch64-static", ["-L", "/usr/aarch64-linux-gnu", join(dist, name), ...words]);

test.for<[string, number]>([
  ["tributary-agent-linux-x64", 62],
  ["tributary-agent-linux-arm64", 183],
  ["tributary-receiver-linux-x64", 62],
  ["tributary-receiver-linux-arm64", 183],
])("%s is an ELF program of machine %i", ([name, machine]) => {
  const header = Buffer.alloc(20);
  readSync(openSync(join(dist, name), "r"), header);
  expect(header.toString("latin1", 0, 4)).toBe("\x7fELF");
  expect(header.readUInt16LE(18)).toBe(machine);
});

test.for(["tributary-agent-linux-arm64", "tributary-receiver-linux-arm64"])(
  "%s says its version",
  async (name) => {
    expect(await emulated(name, "--version")).toBe(`${version}\n`);
  },
);

test("the receiver makes its ledger, with the SQLite library for arm64", async () => {
  const data = join(sandbox.folder, "data");
  await emulated("tributary-receiver-linux-arm64", "client", "add", "acme", "--data", data);
  expect(await emulated("tributary-receiver-linux-arm64", "client", "list", "--data", data)).toContain(
    "acme",
  );
});
