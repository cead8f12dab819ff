/** The line of `agent invite --install linux`, pasted into real shells of hosts of all kinds; and what happens when somebody stands in between. */
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { makeTestAuthority } from "../network/authority.ts";
import { type Interceptor, startInterceptor } from "../network/interceptor.ts";
import { type Host, makeHost, WRITES_DOWN } from "../site/host.ts";
import { ROOT, type Running } from "../site/process.ts";
import { makeSite, type Site } from "../site/site.ts";

const ARCHES = [
  { uname: "x86_64", deb: "amd64", rpm: "x86_64", tar: "x64" },
  { uname: "aarch64", deb: "arm64", rpm: "aarch64", tar: "arm64" },
] as const;
const CODE = /echo (trb1_[\w-]+)\|/;

let packages: string;
let site: Site;
let receiver: Running;
let between: Interceptor;
let host: Host;
/** Good for every host here: only one of them is the real agent, which uses its code up. */
let line: string;

/** Packages as small as can be; the archive's installer writes down how it was called. */
function fillPackages(folder: string): void {
  mkdirSync(folder, { recursive: true });
  for (const { deb, rpm, tar } of ARCHES) {
    writeFileSync(join(folder, `tributary-agent_0.1.0_${deb}.deb`), `deb of ${deb}`);
    writeFileSync(join(folder, `tributary-agent-0.1.0-1.${rpm}.rpm`), `rpm of ${rpm}`);
    const inside = `tributary-agent-0.1.0-linux-${tar}`;
    mkdirSync(join(folder, inside));
    writeFileSync(join(folder, inside, "install.sh"), `#!/bin/sh\n# ${tar}\n${WRITES_DOWN}\n`);
    execFileSync("tar", ["-czf", join(folder, `${inside}.tar.gz`), "-C", folder, inside]);
    rmSync(join(folder, inside), { recursive: true });
  }
}

beforeAll(async () => {
  packages = mkdtempSync(join(tmpdir(), "tributary-packages-"));
  fillPackages(packages);
  site = await makeSite({ receiver: { install: packages } });
  await site.command("client", "add", "acme");
  receiver = await site.serve();
  line = await invite(site);
  between = await startInterceptor(site);
});
afterAll(async () => {
  await between?.stop();
  await receiver?.stop();
  site?.remove();
  rmSync(packages, { recursive: true, force: true });
});
beforeEach(() => {
  host = makeHost();
  between.change = (_path, body) => body;
});
afterEach(() => host.remove());

const invite = async (of: Site): Promise<string> =>
  await of.command("agent", "invite", "--client", "acme", "--install", "linux");
const codeIn = (of: string): string => CODE.exec(of)?.[1] ?? "";
/** The same line for a host whose way to the receiver leads past somebody else. */
const misled = (of: string): string => of.replace(`:${site.port}/install`, `:${between.port}/install`);
const nothingHappened = (): void => {
  expect(host.log()).toEqual([]);
  expect(host.left()).toEqual([]);
};

describe.for(["dash", "bash"])("pasted into %s", (shell) => {
  test.for(["curl", "wget"])("with %s alone: unpacks the archive, runs its installer", async (fetcher) => {
    host.link(fetcher);
    const ran = await host.run(shell, `${line} --folder '/data/my exports' --name exports`);
    expect(ran, ran.stderr).toMatchObject({ code: 0, stderr: "" });
    expect(host.log()).toEqual([
      "install.sh --code - --folder /data/my exports --name exports",
      `< ${codeIn(line)}`,
    ]);
    expect(host.left()).toEqual([]);
  });

  test("its failure is the line's", async () => {
    host.link("curl");
    host.stub("dpkg", "exit 0");
    host.stub("tributary-agent", "exit 7");
    expect((await host.run(shell, line)).code).toBe(7);
    expect(host.left()).toEqual([]);
  });
});

test("the code is in no list of processes while it is used, and what enrols is the real agent", async () => {
  host.link("curl", "tr");
  host.stub("dpkg", WRITES_DOWN);
  const data = join(host.dir, "agent");
  host.stub(
    "tributary-agent",
    `${WRITES_DOWN}
for one in /proc/[0-9]*/cmdline; do
  case "$(tr '\\0' ' ' < "$one" 2> /dev/null)" in *"$line"*) echo "seen in $one" >> "$LOG" ;; esac
done
echo "$line" | ${process.execPath} ${join(ROOT, "agent", "bin.js")} enroll - --data ${data}`,
  );
  const own = await invite(site);
  const ran = await host.run("dash", own, { file: true });
  expect(ran.code, ran.stderr).toBe(0);
  expect(ran.stderr).toContain("for acme");
  expect(host.log()).toEqual([
    expect.stringMatching(/^dpkg -i \S+\/tributary-agent_0.1.0_\w+.deb$/),
    "< ",
    "tributary-agent service install --code -",
    `< ${codeIn(own)}`,
  ]);
  expect(readFileSync(join(data, "identity.json"), "utf8")).toContain("acme");
});

describe("each host gets what it takes", () => {
  const cases: readonly (readonly [string, readonly string[], (arch: (typeof ARCHES)[number]) => RegExp])[] =
    [
      ["dpkg alone", ["dpkg"], ({ deb }) => new RegExp(`^dpkg -i \\S+_${deb}.deb$`)],
      ["apt-get", ["dpkg", "apt-get"], ({ deb }) => new RegExp(`^apt-get install -y /\\S+_${deb}.deb$`)],
      ["rpm alone", ["rpm"], ({ rpm }) => new RegExp(`^rpm -U \\S+.${rpm}.rpm$`)],
      ["dnf", ["rpm", "dnf", "yum"], ({ rpm }) => new RegExp(`^dnf install -y /\\S+.${rpm}.rpm$`)],
      ["yum", ["rpm", "yum"], ({ rpm }) => new RegExp(`^yum install -y /\\S+.${rpm}.rpm$`)],
      [
        "zypper",
        ["rpm", "zypper"],
        ({ rpm }) => new RegExp(`^zypper --non-interactive --no-gpg-checks install /\\S+.${rpm}.rpm$`),
      ],
    ];

  test.for(ARCHES.flatMap((arch) => cases.map((one) => [arch.uname, ...one, arch] as const)))(
    "%s, %s",
    async ([uname, , programs, expected, arch]) => {
      host.link("curl");
      host.stub("uname", `case $1 in -m) echo ${uname} ;; *) echo Linux ;; esac`);
      for (const program of programs) host.stub(program, WRITES_DOWN);
      if (programs.includes("rpm")) host.stub("rpm", `[ "$1" = -q ] && exit 1\n${WRITES_DOWN}`);
      host.stub("tributary-agent", WRITES_DOWN);
      const ran = await host.run("dash", line);
      expect(ran.code, ran.stderr).toBe(0);
      // The package manager is not given the code, though it would read its input.
      expect(host.log()).toEqual([
        expect.stringMatching(expected(arch)),
        "< ",
        "tributary-agent service install --code -",
        `< ${codeIn(line)}`,
      ]);
      expect(host.left()).toEqual([]);
    },
  );

  test("an rpm that is installed already is not installed again, and the host is enrolled", async () => {
    host.link("curl");
    host.stub("rpm", `[ "$1" = -q ] && exit 0\n${WRITES_DOWN}`);
    host.stub("tributary-agent", WRITES_DOWN);
    expect((await host.run("dash", line)).code).toBe(0);
    expect(host.log()[0]).toBe("tributary-agent service install --code -");
  });

  test("a processor without a package, a system without one: it says so", async () => {
    host.link("curl");
    host.stub("uname", "case $1 in -m) echo riscv64 ;; *) echo Linux ;; esac");
    const processor = await host.run("dash", line);
    expect(processor).toMatchObject({ code: 1, stderr: expect.stringContaining("this host is riscv64") });
    host.stub("uname", "echo Darwin");
    const system = await host.run("dash", line);
    expect(system).toMatchObject({ code: 1, stderr: expect.stringContaining("this is Darwin") });
    nothingHappened();
  });
});

describe("who may not install", () => {
  test("sudo is asked first, and what needs root goes through it", async () => {
    host.link("curl");
    host.stub("id", "echo 1000");
    host.stub("sudo", `echo "sudo $*" >> "$LOG"; [ "$1" = -v ] || exec "$@"`);
    const ran = await host.run("dash", `${line} --name exports`);
    expect(ran.code, ran.stderr).toBe(0);
    expect(host.log()).toEqual([
      "sudo -v",
      expect.stringMatching(/^sudo sh \S+\/install.sh --code - --name exports$/),
      "install.sh --code - --name exports",
      `< ${codeIn(line)}`,
    ]);
  });

  test("without sudo, or refused by it, nothing of the package is fetched", async () => {
    host.link("curl");
    host.stub("id", "echo 1000");
    const lost = misled(line);
    const before = between.asked.length;
    expect(await host.run("dash", lost)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining(
        "there is no sudo here: become root (su -) and run the same line again",
      ),
    });
    host.stub("sudo", "exit 1");
    expect(await host.run("dash", lost)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("sudo refused"),
    });
    expect(between.asked.slice(before)).toEqual(["/install/linux.sh", "/install/linux.sh"]);
    nothingHappened();
  });
});

describe.for(["curl", "wget"])("somebody in between, and %s", (fetcher) => {
  beforeEach(() => {
    host.link(fetcher);
    host.stub("dpkg", WRITES_DOWN);
    host.stub("tributary-agent", WRITES_DOWN);
  });

  test("who changes nothing is not in the way: the certificate is not what protects", async () => {
    expect((await host.run("dash", misled(line))).code).toBe(0);
    expect(host.log()).toHaveLength(4);
  });

  test("one byte of the script is another: not a byte of it runs", async () => {
    between.change = (_path, body) => {
      const changed = Buffer.from(body);
      changed[body.length - 3] = (body.at(-3) as number) ^ 1;
      return changed;
    };
    const ran = await host.run("bash", misled(line));
    expect(ran).toMatchObject({ code: 1, stdout: "" });
    expect(ran.stderr).toBe(
      `tributary: nothing was run: https://127.0.0.1:${between.port}/install/linux.sh is not what this line was made for. If it can be reached, the packages were renewed since this invitation: ask for a new line\n`,
    );
    nothingHappened();
  });

  test.for<[string, (body: Buffer) => Buffer]>([
    ["cut short", (body) => body.subarray(0, -1)],
    ["longer", (body) => Buffer.concat([body, Buffer.from("x")])],
    ["of the same size and other bytes", (body) => Buffer.alloc(body.length, "x")],
  ])("a package that is %s is not installed", async ([, change]) => {
    between.change = (path, body) => (path.endsWith(".sh") ? body : change(body));
    const ran = await host.run("dash", misled(line));
    expect(ran).toMatchObject({ code: 1, stdout: "" });
    expect(ran.stderr).toMatch(
      /^tributary: https:\S+\.deb is not what this line was made for \(\d+ bytes came, \d+ were expected\)\. Run/,
    );
    nothingHappened();
  });

  test("a receiver that is not there: said by the program that asked, and nothing runs", async () => {
    const lost = line.replace(`:${site.port}/install`, ":1/install");
    const ran = await host.run("dash", lost);
    expect(ran).toMatchObject({ code: 1, stdout: "", stderr: expect.stringContaining("nothing was run") });
    nothingHappened();
  });
});

test("packages that were renewed since the invitation: the old line says so, a new one what is missing", async () => {
  host.link("curl");
  const folder = mkdtempSync(join(tmpdir(), "tributary-renewed-"));
  fillPackages(folder);
  const other = await makeSite({ receiver: { install: folder } });
  const running = await other.serve();
  try {
    await other.command("client", "add", "acme");
    const old = await invite(other);
    for (const { tar } of ARCHES)
      renameSync(
        join(folder, `tributary-agent-0.1.0-linux-${tar}.tar.gz`),
        join(folder, `tributary-agent-0.1.0-linux-${tar}.tar.gz.old`),
      );
    const refused = await host.run("dash", old);
    expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining("ask for a new line") });
    nothingHappened();
    const lacking = await host.run("dash", await invite(other));
    expect(lacking).toMatchObject({ code: 1 });
    expect(lacking.stderr).toMatch(
      /^tributary: this host needs tributary-agent-VERSION-linux-\w+.tar.gz, which the receiver does not have/,
    );
    nothingHappened();
  } finally {
    await running.stop();
    other.remove();
    rmSync(folder, { recursive: true, force: true });
  }
});

test("with a certificate that the system knows, the certificate is checked too", async () => {
  host.link("curl");
  const authority = await makeTestAuthority("a public authority");
  const { cert, key } = await authority.issue(["127.0.0.1"]);
  const files = mkdtempSync(join(tmpdir(), "tributary-public-"));
  for (const [name, content] of Object.entries({ cert, key, ca: authority.cert }))
    writeFileSync(join(files, name), content);
  const other = await makeSite({
    receiver: { install: packages, tls: { cert: join(files, "cert"), key: join(files, "key") } },
  });
  const running = await other.serve();
  try {
    await other.command("client", "add", "acme");
    const own = await invite(other);
    expect(own).not.toMatch(/ -k\b|fsSk|no-check/);
    const known = await host.run("dash", own, { env: { CURL_CA_BUNDLE: join(files, "ca") } });
    expect(known.code, known.stderr).toBe(0);
    expect(host.log()).toEqual(["install.sh --code -", `< ${codeIn(own)}`]);
    const unknown = await host.run("dash", own);
    expect(unknown).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/certificate[\s\S]*nothing was run/),
    });
    expect(host.left()).toEqual([]);
  } finally {
    await running.stop();
    other.remove();
    rmSync(files, { recursive: true, force: true });
  }
});
