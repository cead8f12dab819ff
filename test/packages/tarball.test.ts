/** The .tar.gz on a Debian 13 with systemd, where dpkg knows nothing of the agent. */
import { join } from "node:path";
import { afterAll, beforeAll, expect, inject, onTestFailed, test } from "vitest";
import type { Box } from "./box.ts";
import { type Client, startClient } from "./client.ts";
import { brokenCode } from "./code.ts";

const { dist, version, nextDist, next, tree } = inject("packages");
const folderOf = (of: string): string => `tributary-agent-${of}-linux-x64`;

let client: Client;
let box: Box;
let code: string;

beforeAll(async () => {
  client = await startClient(tree, join(dist, `tributary-receiver_${version}_amd64.deb`), [
    join(dist, `${folderOf(version)}.tar.gz`),
    join(nextDist, `${folderOf(next)}.tar.gz`),
  ]);
  box = client.box;
  code = await client.invitation();
  for (const one of [version, next]) await box.ok(`tar -xzf ${folderOf(one)}.tar.gz`);
  await box.ok(
    "mkdir -m 700 /srv/exports; echo a,b > /srv/exports/a.csv; useradd --system --no-create-home exporter",
  );
});

afterAll(async () => await client?.stop());

/** `line`: after its ./install.sh, in the unpacked folder. */
const install = async (of: string, line: string, stdin = "") =>
  await box.run(`cd ${folderOf(of)} && ./install.sh ${line}`, stdin);

const TRACES = `
find / -xdev -iname '*tributary-agent*' ! -path '/root/*' ! -path '/proc/*' ! -path '/var/log/*' ! -path '/sys/*'
getent passwd tributary-agent
getent group tributary-agent
systemctl list-unit-files --no-legend 'tributary-agent*'
systemctl list-units --all --no-legend 'tributary-agent*'
true`;

const expectNothing = async (): Promise<void> => expect(await box.ok(TRACES)).toBe("");

test.for(["tributary-agent", "install.sh", "agent.md"])(
  "a damaged %s is refused before anything is done",
  async (file) => {
    await box.ok(`rm -rf damaged; cp -r ${folderOf(version)} damaged; printf '#' >> damaged/${file}`);
    const said = await box.run("damaged/install.sh --code - --folder /srv/exports", code);
    expect(said.code).toBe(1);
    expect(said.err).toContain(`${file}: FAILED`);
    expect(said.err).toContain("install.sh: a file in /root/damaged is not what was packed");
    await expectNothing();
  },
);

test.for<[string, string, number, RegExp]>([
  [
    "a folder that is missing",
    "--code - --folder /srv/nothing",
    2,
    /\/srv\/nothing: there is no such folder/,
  ],
  [
    "a folder that the service never sees",
    "--code - --folder /tmp",
    2,
    /the service has a folder of its own there/,
  ],
  [
    "an account that is missing",
    "--code - --folder /srv/exports --account nobody2",
    2,
    /no account "nobody2"/,
  ],
  [
    "no code and a name that no source may have",
    "--folder /srv/exports --name Bad/Name",
    1,
    /so nothing was installed/,
  ],
])("%s leaves nothing behind", async ([, words, status, message]) => {
  const said = await install(version, words, code);
  expect(said.err).toMatch(message);
  expect(said.code).toBe(status);
  await expectNothing();
});

test.for(["", "--account exporter"])(
  "a code that nobody made and a receiver that is down leave nothing behind (%s)",
  async (account) => {
    const wrong = await install(version, `--code - --folder /srv/exports ${account}`, brokenCode(code));
    expect(wrong.err).toContain("this receiver did not make this code");
    expect(wrong.err).toContain("nothing was installed");
    expect(wrong.code).toBe(1);
    await expectNothing();

    await box.ok("systemctl stop tributary-receiver");
    const down = await install(version, `--code - --folder /srv/exports ${account}`, code);
    await client.startReceiver();
    expect(down.err).toContain("nothing was installed");
    expect(down.code).toBe(1);
    await expectNothing();
  },
);

test("a disk that fills up while the program is copied leaves nothing behind", async () => {
  await box.ok("mount -t tmpfs -o size=1m tmpfs /usr/local/bin");
  const said = await install(version, "--code - --folder /srv/exports", code);
  const left = await box.ok("ls -A /usr/local/bin; umount /usr/local/bin");
  expect(said.err).toContain("/usr/local/bin/tributary-agent");
  expect(said.code).not.toBe(0);
  expect(left).toBe("");
  await expectNothing();
});

test("install.sh copies the program, makes account and unit, and files flow", async () => {
  const said = await install(version, "--code - --folder ../../srv/exports", code);
  onTestFailed(() => console.error(said.out, said.err));
  expect(said.code).toBe(0);
  expect(said.out).toMatch(/^ok {4}service: it runs as tributary-agent/m);
  expect(said.out).not.toMatch(/^(fail|warn)/m);
  await box.ok(`cmp ${folderOf(version)}/tributary-agent /usr/local/bin/tributary-agent`);
  await box.ok(
    "grep -q '^ExecStart=/usr/local/bin/tributary-agent run$' /etc/systemd/system/tributary-agent.service",
  );
  expect(
    await box.ok(
      "stat -c '%U %G %a' /var/lib/tributary-agent /etc/tributary-agent /usr/local/bin/tributary-agent",
    ),
  ).toBe("tributary-agent tributary-agent 700\nroot tributary-agent 2750\nroot root 755\n");
  const { versionId } = await client.delivered("a.csv");
  expect(await box.ok(`tributary-receiver get ${versionId}`)).toBe("a,b\n");
  const doctor = await box.run("tributary-agent doctor");
  expect(doctor).toMatchObject({ code: 0, out: expect.not.stringMatching(/^(fail|warn)/m) });
});

const KEPT =
  "cat /etc/tributary-agent/agent.yaml /var/lib/tributary-agent/key /var/lib/tributary-agent/identity.json";

test("a newer install.sh upgrades: key, settings and what waits stay", async () => {
  const before = await box.ok(KEPT);
  await box.ok(
    "systemctl stop tributary-receiver; echo 1 > /srv/exports/one.csv; echo 2 > /srv/exports/two.csv",
  );
  await box.until("tributary-agent status | grep -q '^waiting *2 '", 30_000);
  const pid = await client.pid();
  // It asks the receiver, which is down, but what it was to do is done.
  const said = await install(next, "");
  expect(said.out).toMatch(/^fail {2}tcp: /m);
  expect(await client.pid()).not.toBe(pid);
  expect(await box.ok("tributary-agent --version")).toBe(`${next}\n`);
  expect(await box.ok(KEPT)).toBe(before);
  expect(await box.ok("tributary-agent status")).toMatch(/^waiting +2 /m);
  await client.startReceiver();
  await client.delivered("one.csv");
  await client.delivered("two.csv");
});

test("uninstalled, it leaves its data; installed again, it goes on as the same agent", async () => {
  const before = await box.ok(KEPT);
  expect((await box.run("tributary-agent service uninstall")).err).toContain("the service is gone\n");
  await box.ok(
    "test ! -e /usr/local/bin/tributary-agent -a ! -e /etc/systemd/system/tributary-agent.service",
  );
  expect(await box.ok(KEPT)).toBe(before);
  await box.ok("echo 3 > /srv/exports/again.csv");
  expect(await install(next, "")).toMatchObject({ code: 0 });
  await client.delivered("again.csv");
  expect((await box.ok("tributary-receiver agent list --json")).trim().split("\n")).toHaveLength(1);
});

test("with --account it goes on as another account, with the same key", async () => {
  const before = await box.ok(KEPT);
  const said = await install(next, "--account exporter --folder /srv/exports");
  onTestFailed(() => console.error(said.out, said.err));
  expect(said.code).toBe(0);
  expect(said.out).toMatch(/^ok {4}service: it runs as exporter/m);
  expect(await box.ok(KEPT)).toBe(before);
  expect(await box.ok("find /var/lib/tributary-agent ! -user exporter")).toBe("");
  await box.ok("echo 4 > /srv/exports/other.csv");
  await client.delivered("other.csv");
});

test("purged, nothing of it is left, also not the account; the one that was named stays", async () => {
  await box.ok("tributary-agent service uninstall --purge");
  await expectNothing();
  await box.ok("getent passwd exporter; test -e /srv/exports/a.csv");
});

test("with --account from the beginning no other account is made", async () => {
  const said = await install(
    version,
    "--code - --folder /srv/exports --account exporter",
    await client.invitation(),
  );
  onTestFailed(() => console.error(said.out, said.err));
  expect(said.code).toBe(0);
  expect((await box.run("getent passwd tributary-agent")).code).not.toBe(0);
  await box.ok("echo 5 > /srv/exports/fifth.csv");
  await client.delivered("fifth.csv");
  await box.ok("tributary-agent service uninstall --purge");
  await expectNothing();
  await box.ok("getent passwd exporter");
});
