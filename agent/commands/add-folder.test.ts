import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Command } from "commander";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { pendingKey, publicX, storeEnrolment } from "../identity/identity.ts";
import { addAddFolder } from "./add-folder.ts";
import { folderWarnings, refuseFolder } from "./folder-place.ts";
import { putSource } from "./source-entry.ts";

let dir: string;
let accepted: string[];
beforeEach(() => {
  dir = realpathSync(mkdtempSync(join(tmpdir(), "tributary-add-")));
  accepted = [];
  mkdirSync(join(dir, "data"));
  mkdirSync(join(dir, "files"));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

async function add(...args: string[]): Promise<string> {
  const program = new Command().exitOverride();
  addAddFolder(program, (_data, client, source) => accepted.push(`${client}/${source}`));
  await program.parseAsync(["add-folder", ...args, "--data", join(dir, "data")], { from: "user" });
  return readFileSync(join(dir, "data", "agent.yaml"), "utf8");
}

/** An identity as enrolment stores it. */
function enrol(...clients: string[]): void {
  const data = join(dir, "data");
  storeEnrolment(data, {
    agentId: "00000000-0000-4000-8000-000000000000",
    name: "a",
    site: "00000000-0000-4000-8000-000000000001",
    url: "https://127.0.0.1:1",
    codeSha256: "",
    publicKey: publicX(pendingKey(data)),
    clients,
    trust: { authorities: [], systemNamedAt: null },
    jwks: { keys: [] },
    nonce: "n",
    heartbeatSeconds: 10,
  });
}

describe("the text of agent.yaml", () => {
  const YAML = `# the tills of the shop
limits: { bandwidth: 20MB/s } # as agreed

sources:
  # till 1
  - { name: till, path: /srv/till, settle: 5s } # slow
tls: {}
`;

  test("a relative path of before begins at the folder of agent.yaml", () => {
    const before = "sources: [{ name: a, path: files }]\n";
    const edited = putSource(before, { name: "a", path: "/etc/agent/files" }, "c", "/etc/agent");
    expect(edited.known).toBe(true);
    expect(edited.text).toContain("path: /etc/agent/files");
  });

  test("comments and order stay", () => {
    const { text } = putSource(YAML, { name: "back", path: "/srv/back" }, "shop", "/");
    for (const comment of ["# the tills of the shop", "# as agreed", "# till 1", "# slow"])
      expect(text).toContain(comment);
    expect(text.indexOf("limits")).toBeLessThan(text.indexOf("name: till"));
    expect(text.indexOf("name: back")).toBeLessThan(text.indexOf("tls"));
    expect(text).toContain("settle: 5s");
  });

  test("the same again changes only what is named", () => {
    const { text, known } = putSource(
      YAML,
      { name: "till", path: "/srv/till", after: "delete" },
      "shop",
      "/",
    );
    expect(known).toBe(true);
    expect(text).toContain("settle: 5s, after: delete");
  });

  test.for(["", "# nothing yet\n", "sources:\n", "sources: []\n"])("a file without sources: %j", (before) => {
    expect(putSource(before, { name: "a", path: "/a" }, "c", "/").text).toMatch(
      /sources:\n {2}- name: a\n {4}path: \/a\n/,
    );
  });

  test("a name is free for another client", () => {
    const before = "sources:\n  - { name: a, client: one, path: /one }\n";
    expect(putSource(before, { name: "a", client: "two", path: "/two" }, undefined, "/").known).toBe(false);
    expect(() => putSource(before, { name: "a", client: "one", path: "/two" }, undefined, "/")).toThrow(
      /already/,
    );
  });
});

describe("add-folder", () => {
  test("writes an absolute path and what was named", async () => {
    const text = await add(
      join(dir, "files"),
      "--name",
      "pos",
      "--include",
      "**/*.csv",
      "--include",
      "*.txt",
      "--settle",
      "1s",
    );
    expect(text).toBe(
      `sources:\n  - name: pos\n    path: ${join(dir, "files")}\n    include:\n      - "**/*.csv"\n      - "*.txt"\n    settle: 1s\n`,
    );
  });

  test("again with the same path accepts the root as it now is", async () => {
    enrol("demo");
    const before = await add(join(dir, "files"), "--name", "pos");
    expect(accepted).toEqual([]);
    expect(await add(join(dir, "files"), "--name", "pos")).toBe(before);
    expect(accepted).toEqual(["demo/pos"]);
  });

  test("refuses what cannot be meant, and writes nothing", async () => {
    enrol("demo");
    const files = join(dir, "files");
    const before = await add(files, "--name", "pos");
    writeFileSync(join(dir, "file"), "");
    const refused = (why: RegExp, ...args: string[]) => expect(add(...args)).rejects.toThrow(why);
    await refused(/already/, dir.concat("/other"), "--name", "pos");
    await refused(/"Pos"/, files, "--name", "Pos");
    await refused(/only for demo/, files, "--name", "b", "--client", "other");
    await refused(/not a folder/, join(dir, "file"), "--name", "b");
    await refused(/private key/, dir, "--name", "b");
    await refused(/settle/, files, "--name", "b", "--settle", "soon");
    await refused(/keep, delete or move/, files, "--name", "b", "--after", "burn");
    expect(readFileSync(join(dir, "data", "agent.yaml"), "utf8")).toBe(before);
  });

  test("of an agent with several clients one must be named", async () => {
    enrol("one", "two");
    await expect(add(join(dir, "files"), "--name", "pos")).rejects.toThrow(/--client one/);
    expect(await add(join(dir, "files"), "--name", "pos", "--client", "two")).toContain("client: two");
  });
});

describe("warnings", () => {
  test("a folder inside another source, around one, inside the data folder, not there", () => {
    const data = join(dir, "data");
    const sources = [{ name: "a", path: join(dir, "files") }];
    const warn = (folder: string): string => folderWarnings(folder, "b", data, sources).join("\n");
    mkdirSync(join(dir, "files", "sub"));
    mkdirSync(join(data, "in"));
    expect(warn(join(dir, "files", "sub"))).toContain('inside the source "a"');
    expect(folderWarnings(dir, "b", "/elsewhere", sources).join()).toContain('the source "a"');
    expect(warn(join(data, "in"))).toContain("data folder");
    expect(warn(join(dir, "missing"))).toContain("not there yet");
    mkdirSync(join(dir, "filesystem"));
    expect(warn(join(dir, "filesystem"))).toBe("");
  });

  test("the data folder itself is refused", () => {
    expect(() => refuseFolder(join(dir, "data"), join(dir, "data"))).toThrow(/private key/);
  });
});
