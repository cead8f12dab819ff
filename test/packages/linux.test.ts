/** The .deb, from its installation to the moment when nothing of it is left, on a Debian 13 with systemd. */
import { createHash } from "node:crypto";
import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, inject, onTestFailed, test } from "vitest";
import type { Box } from "./box.ts";
import { type Client, startClient } from "./client.ts";
import { brokenCode } from "./code.ts";

const { dist, version, nextDist, next, tree } = inject("packages");
const agentDeb = (of: string): string => `tributary-agent_${of}_amd64.deb`;

describe("what lies in dist/", () => {
  test("SHA256SUMS and manifest.json name every file as it is", () => {
    const sums = readFileSync(join(dist, "SHA256SUMS"), "utf8").trim().split("\n");
    const manifest = JSON.parse(readFileSync(join(dist, "manifest.json"), "utf8"));
    expect(manifest.version).toBe(version);
    expect(sums).toEqual(
      manifest.files.map((file: { sha256: string; name: string }) => `${file.sha256}  ${file.name}`),
    );
    for (const { name, size, sha256 } of manifest.files) {
      const bytes = readFileSync(join(dist, name));
      expect([name, bytes.length]).toEqual([name, size]);
      expect(createHash("sha256").update(bytes).digest("hex")).toBe(sha256);
    }
  });

  test("no program is larger than it may be: 160 MB for Linux, 115 MB for Windows", () => {
    const size = (name: string): number => statSync(join(dist, name)).size / 1e6;
    for (const name of ["agent-linux-x64", "agent-linux-arm64", "receiver-linux-x64", "receiver-linux-arm64"])
      expect(size(`tributary-${name}`)).toBeLessThan(160);
    expect(size("tributary-agent-win-x64.exe")).toBeLessThan(115);
  });
});

describe("what lies in dist/ does not depend on who made it", () => {
  test.for(["tributary-agent-linux-x64", "tributary-agent-win-x64.exe", "tributary-receiver-linux-x64"])(
    "%s does not tell where it was made",
    (name) => {
      const program = readFileSync(join(dist, name));
      expect(program.includes("/tributary//main.cjs")).toBe(true);
      for (const place of [dist, ".making-", import.meta.dirname])
        expect(program.includes(place)).toBe(false);
    },
  );
});

describe("the .deb on Debian 13 with systemd", () => {
  let client: Client;
  let box: Box;
  let code: string;

  beforeAll(async () => {
    client = await startClient(tree, join(dist, `tributary-receiver_${version}_amd64.deb`), [
      join(dist, agentDeb(version)),
      join(nextDist, agentDeb(next)),
    ]);
    box = client.box;
    code = await client.invitation();
    await box.ok(
      "mkdir -p /srv/exports /home/alice/exports; chmod 700 /home/alice; echo a,b > /home/alice/exports/a.csv",
    );
  });

  afterAll(async () => await client?.stop());

  test("it makes account, folders and an enabled service that waits for its enrolment", async () => {
    await box.ok(`dpkg -i ${agentDeb(version)}`);
    expect(await box.ok("tributary-agent --version")).toBe(`${version}\n`);
    expect(await box.ok("stat -c '%U %G %a' /var/lib/tributary-agent /etc/tributary-agent")).toBe(
      "tributary-agent tributary-agent 700\nroot tributary-agent 2750\n",
    );
    const status = await box.run("tributary-agent service status");
    expect(status).toMatchObject({ code: 1, out: "stopped, as tributary-agent, starts with the system\n" });
  });

  test("its unit is hardened: exposure at most 2.0, and systemd knows every line of it", async () => {
    for (const unit of ["tributary-agent", "tributary-receiver"]) {
      const told = await box.ok(`systemd-analyze security --no-pager ${unit}.service`);
      const exposure = Number(/Overall exposure level for \S+: ([\d.]+)/.exec(told)?.[1]);
      expect(exposure).toBeLessThanOrEqual(2);
      const verified = await box.run(`systemd-analyze verify /usr/lib/systemd/system/${unit}.service`);
      expect(verified).toMatchObject({ code: 0, err: "" });
    }
  });

  test("the receiver takes SFTP, with the native crypto that its package brings", async () => {
    const said = await box.ok("journalctl -u tributary-receiver --no-pager -o cat");
    expect(said).toContain("sftp: 127.0.0.1:2222");
    expect(said).not.toContain("without its native crypto");
    expect(await box.ok("bash -c 'head -n 1 < /dev/tcp/127.0.0.1/2222'")).toMatch(/^SSH-2\.0-Tributary/);
    expect(await box.ok("tributary-receiver sftp host-key")).toMatch(
      /^\[127\.0\.0\.1\]:2222 ssh-ed25519 AAAA\S+\n/,
    );
  });

  test.for<[string, string, RegExp]>([
    [
      "a folder that does not exist",
      "--folder /srv/nothing",
      /\/srv\/nothing: there is no such folder.*the code is still good/,
    ],
    [
      "a folder that the service never sees",
      "--folder /var/tmp",
      /the service has a folder of its own there/,
    ],
    ["the agent's own data", "--folder /var/lib", /\/var\/lib holds the agent's own data/],
  ])("%s is refused before the code is used", async ([, words, message]) => {
    const said = await box.run(`tributary-agent service install --code - ${words}`, code);
    expect(said.code).toBe(2);
    expect(said.err).toMatch(message);
    await expectUntouched();
  });

  test("a code that was cut in copying, one that nobody made, and a receiver that is down leave nothing behind", async () => {
    const cut = await box.run(
      `tributary-agent service install --code ${code.slice(0, -20)} --folder /srv/exports`,
    );
    expect(cut).toMatchObject({
      code: 2,
      err: expect.stringContaining("a part of it is missing or altered"),
    });
    await expectUntouched();

    const wrong = await box.run(
      "tributary-agent service install --code - --folder /srv/exports",
      brokenCode(code),
    );
    expect(wrong.code).toBe(1);
    expect(wrong.err).toContain("this receiver did not make this code");
    expect(wrong.err).toContain("nothing was installed");
    await expectUntouched();

    await box.ok("systemctl stop tributary-receiver");
    const down = await box.run("tributary-agent service install --code - --folder /srv/exports", code);
    await client.startReceiver();
    expect(down.code).toBe(1);
    expect(down.err).toMatch(/127\.0\.0\.1/);
    await expectUntouched();
  });

  /** As the package left it: not enrolled, nothing configured, nothing running. */
  async function expectUntouched(): Promise<void> {
    const left = await box.ok(
      "ls /etc/tributary-agent; ls /var/lib/tributary-agent | grep -v '^key.new$' || true",
    );
    expect(left).toBe("");
    expect((await box.run("systemctl is-active --quiet tributary-agent")).code).not.toBe(0);
  }

  test("one command enrols, adds the folder, lets the service read it, starts, and finds all well", async () => {
    const line = "tributary-agent service install --code - --folder /home/alice/exports --name exports";
    const said = await box.run(line, code);
    onTestFailed(() => console.error(said.out, said.err));
    expect(said.code).toBe(0);
    expect(said.out).toMatch(/^ok {4}service: it runs as tributary-agent/m);
    expect(said.out).not.toMatch(/^(fail|warn)/m);
    expect(said.err).not.toContain("next:");
    const version1 = await client.delivered("a.csv");
    expect(version1).toMatchObject({ path: "a.csv", size: 4 });
    // Every account of this host may not read alice's folders now, the service's may.
    expect((await box.run("setpriv --reuid=nobody --clear-groups ls /home/alice")).code).not.toBe(0);
    expect(await box.ok(`tributary-receiver get ${version1.versionId}`)).toBe("a,b\n");
    expect((await box.ok("stat -c '%U %G %a' /etc/tributary-agent/agent.yaml")).trim()).toBe(
      "root tributary-agent 640",
    );
    // What root looks at leaves nothing of root's in the service's folder.
    await box.ok("tributary-agent status; tributary-agent scan --source exports; tributary-agent doctor");
    expect(await box.ok("find /var/lib/tributary-agent ! -user tributary-agent")).toBe("");
  });

  test("the same command again changes nothing and is no failure", async () => {
    const before = await box.ok("cat /etc/tributary-agent/agent.yaml /var/lib/tributary-agent/identity.json");
    const said = await box.run(
      "tributary-agent service install --code - --folder /home/alice/exports --name exports",
      await client.invitation(),
    );
    expect(said.code).toBe(0);
    expect(said.err).toContain("enrolled already");
    expect(await box.ok("cat /etc/tributary-agent/agent.yaml /var/lib/tributary-agent/identity.json")).toBe(
      before,
    );
  });

  test("killed, it comes back and goes on", async () => {
    const before = await client.pid();
    await box.ok(`kill -KILL ${before}; echo c > /home/alice/exports/killed.csv`);
    await box.until(`tributary-agent service status && ! kill -0 ${before}`, 30_000);
    expect(await client.pid()).not.toBe(before);
    await client.delivered("killed.csv");
    // Each time later than the time before.
    const waits = await box.ok("systemctl show tributary-agent --property RestartUSec,RestartUSecNext");
    // As systemd writes durations: `5s`, `8.341399s`.
    const seconds = (property: string): number =>
      Number(new RegExp(`^${property}=([\\d.]+)s`, "m").exec(waits)?.[1]);
    expect(seconds("RestartUSec")).toBe(5);
    expect(seconds("RestartUSecNext")).toBeGreaterThan(5);
  });

  test("the watchdog hears of it, and ends one that stands still", async () => {
    await box.ok(
      `mkdir -p /run/systemd/system/tributary-agent.service.d
       printf '[Service]\\nWatchdogSec=2\\nTimeoutAbortSec=1\\nRestartSec=1\\n' > /run/systemd/system/tributary-agent.service.d/watchdog.conf
       systemctl daemon-reload; systemctl restart tributary-agent`,
    );
    const before = await client.pid();
    await box.ok("sleep 5");
    expect(await client.pid()).toBe(before);
    await box.ok(`kill -STOP ${before}`);
    await box.until(`tributary-agent service status && ! kill -0 ${before}`, 30_000);
    await box.ok(
      "rm -r /run/systemd/system/tributary-agent.service.d; systemctl daemon-reload; systemctl restart tributary-agent",
    );
  });

  test("stopped and started by its own words", async () => {
    expect(await box.ok("tributary-agent service stop")).toMatch(/^stopped, /);
    const doctor = await box.run("tributary-agent doctor");
    expect(doctor.code).toBe(1);
    expect(doctor.out).toMatch(/^fail {2}service: it is stopped\n {6}-> tributary-agent service start/m);
    expect(await box.ok("tributary-agent service start")).toMatch(/^running, pid \d+, as tributary-agent/);
    expect(await box.ok("journalctl -u tributary-agent --no-pager -o cat")).toContain('"msg":"stopped"');
  });

  test("a folder is granted for writing, and files that left are deleted there", async () => {
    await box.ok("mkdir -p '/srv/out box'; echo x > '/srv/out box/done.csv'; chmod 700 '/srv/out box'");
    await box.ok("tributary-agent add-folder '/srv/out box' --name out --after delete");
    const before = await box.run("tributary-agent doctor");
    expect(before.out).toMatch(/^fail {2}source out: /m);
    const much = await box.run("tributary-agent service grant /home --write");
    expect(much).toMatchObject({ code: 2, err: expect.stringContaining("/home is a folder of the system") });
    await box.ok("tributary-agent service grant '/srv/out box' --write");
    await box.until("[ ! -e '/srv/out box/done.csv' ]", 30_000);
    await client.delivered("done.csv");
    expect((await box.run("tributary-agent doctor")).code).toBe(0);
  });

  test("an upgrade keeps key, settings and what waits, and runs the new version at once", async () => {
    const kept =
      "cat /etc/tributary-agent/agent.yaml /var/lib/tributary-agent/key /var/lib/tributary-agent/identity.json";
    const before = await box.ok(kept);
    await box.ok("systemctl stop tributary-receiver");
    await box.ok("echo 1 > /home/alice/exports/one.csv; echo 2 > /home/alice/exports/two.csv");
    await box.until("tributary-agent status | grep -q '^waiting *2 '", 30_000);
    const pid = await client.pid();
    await box.ok(`dpkg -i ${agentDeb(next)}`);
    expect(await client.pid()).not.toBe(pid);
    expect(await box.ok("tributary-agent --version")).toBe(`${next}\n`);
    expect(await box.ok(kept)).toBe(before);
    expect(await box.ok("tributary-agent status")).toMatch(/^waiting +2 /m);
    await client.startReceiver();
    await client.delivered("one.csv");
    await client.delivered("two.csv");
    await box.ok("systemctl disable tributary-agent");
    await box.ok(`dpkg -i ${agentDeb(next)}`);
    expect((await box.run("systemctl is-enabled --quiet tributary-agent")).code).not.toBe(0);
    await box.ok("systemctl enable tributary-agent");
  });

  test("removed, it leaves its data; installed again, it goes on as the same agent", async () => {
    await box.ok("dpkg -r tributary-agent");
    expect((await box.run("systemctl is-active --quiet tributary-agent")).code).not.toBe(0);
    await box.ok(
      "test -e /var/lib/tributary-agent/key -a -e /etc/tributary-agent/agent.yaml -a ! -e /usr/bin/tributary-agent",
    );
    await box.ok(`echo 3 > /home/alice/exports/again.csv; dpkg -i ${agentDeb(next)}`);
    await client.delivered("again.csv");
    expect((await box.ok("tributary-receiver agent list --json")).trim().split("\n")).toHaveLength(1);
  });

  test("purged, it leaves nothing but the right on the folders", async () => {
    await box.ok("dpkg -P tributary-agent");
    const left = await box.ok(
      "find / -xdev -iname '*tributary-agent*' ! -path '/root/*' ! -path '/proc/*' ! -path '/var/log/*' ! -path '/sys/*'; getent passwd tributary-agent || true",
    );
    expect(left).toBe("");
    await box.ok("test -e /home/alice/exports/a.csv");
  });
});
