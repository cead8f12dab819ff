/** Who may come in, how often, for how long; and who has to leave. */
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { connect } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Running, run, until } from "../site/process.ts";
import { type ProgramRunning, paramiko, said, sftp, well } from "../site/sftp-programs.ts";
import { type Login, makeSftpSite, type SftpSite } from "../site/sftp-site.ts";

const PASSWORD = "correct horse battery";

/** Says `in`, then `out` with the ms since the epoch when its session has ended. */
const STAYS = `
t = connect(); s = session(t)
say("in")
while True:
    try: s.stat("/")
    except Exception as error:
        say(["out", time.time() * 1000, str(error)])
        break
    time.sleep(0.1)
`;

describe("at the SFTP door", { timeout: 120_000 }, () => {
  let it: SftpSite;
  let receiver: Running;
  beforeAll(async () => {
    it = await makeSftpSite({ sftp: { perAddress: 6, login: "2s", idle: "3s", handles: 8, sessions: 2 } });
    receiver = await it.site.serve();
  });
  afterAll(async () => {
    await receiver?.stop();
    it?.site.remove();
  });
  const isIn = async ({ stdout, stderr }: ProgramRunning) =>
    await until(`somebody is in: ${stderr()}`, () => /"in"|working/.test(stdout()));
  /** Somebody at OpenSSH's prompt, who only reads. */
  const told = async (typed: ProgramRunning, words: RegExp) => {
    await until(`it says ${words}`, () => words.test(typed.stderr()), { withinMs: 15_000 });
    await typed.kill();
  };
  const out = async (running: ProgramRunning): Promise<number> =>
    ((await said(running)).at(-1) as [string, number])[1];

  test("a password, of OpenSSH and of paramiko; a wrong one is refused", async () => {
    const login = await it.account("pw", { key: "none", password: PASSWORD });
    const { stdout } = await well(sftp(login, ["pwd"]));
    expect(stdout).toContain("Remote working directory: /");
    const wrong = { ...login, password: "incorrect horse" };
    const ran = await sftp(wrong, ["pwd"]).ended;
    expect([ran.code, ran.stderr]).toEqual([255, expect.stringMatching(/Permission denied/)]);
    expect((await said(paramiko(wrong, "say(fails(connect))")))[0]).toMatch(/AuthenticationException/);
  });

  test("guesses from one address stop nobody at another, and not who was in before", async () => {
    const login = await it.account("guessed", { key: "none", password: PASSWORD });
    await it.account("victim", { key: "none", password: PASSWORD });
    await well(sftp(login, ["pwd"]));
    const guess = (user: string, bind: string, first: number) => `
L["user"] = ${JSON.stringify(user)}
wrong = 0
for i in range(${first}, ${first} + 32):
    # Of two guesses on one connection paramiko sends the first alone.
    why = fails(lambda: connect("${bind}", f"a wrong password {i}").close())
    wrong += "AuthenticationException" in why
say(wrong)
say(fails(lambda: connect("${bind}", ${JSON.stringify(PASSWORD)})))
say(fails(lambda: connect("127.0.0.3", ${JSON.stringify(PASSWORD)})))
`;
    const [wrong, there, elsewhere] = await said(paramiko(login, guess("victim", "127.0.0.2", 0)));
    expect(wrong).toBe(32);
    expect(there).toMatch(/AuthenticationException/);
    expect(elsewhere).toBe("no error");
    // Its password was right from there within the last hour.
    const [, again] = await said(paramiko(login, guess("guessed", "127.0.0.1", 100)));
    expect(again).toBe("no error");
    expect(receiver.stderr()).toMatch(/"code":"limit-requests"/);
  });

  test("connections of one address are bounded, another address still gets in", async () => {
    const login = await it.account("many");
    const [times, elsewhere, again] = await said(
      paramiko(
        login,
        `
inside = []; turned = 0
for i in range(8):
    try: inside.append(connect("127.0.0.4"))
    except (paramiko.SSHException, EOFError, OSError): turned += 1
say([len(inside), turned])
say(fails(lambda: connect("127.0.0.5")))
for t in inside: t.close()
time.sleep(0.5)
say(fails(lambda: connect("127.0.0.4")))
`,
      ),
    );
    expect([times, elsewhere, again]).toEqual([[6, 2], "no error", "no error"]);
  });

  test("files that one session has open are bounded, and the sessions of a connection", async () => {
    const login = await it.account("handles");
    const [why, after, sessions] = await said(
      paramiko(
        login,
        `
t = connect(); s = session(t)
s.mkdir("/handles")
files = [s.open(f"/handles/{i}", "w") for i in range(8)]
say(fails(lambda: s.open("/handles/9", "w")))
files.pop().close()
say(fails(lambda: s.open("/handles/9", "w").close()))
session(t)
say(fails(lambda: session(t)))
`,
      ),
    );
    expect(why).toContain("this session has 8 files and folders open; close some of them first");
    expect(after).toBe("no error");
    expect(sessions).not.toBe("no error");
  });

  test("limits that are set while somebody is there are in force for him too", async () => {
    const login = await it.account("limited");
    const writes = paramiko(
      login,
      `
s = session(connect())
s.mkdir("/limited")
say("in")
began = time.time()
while time.time() - began < 20:
    one = s.open("/limited/one", "w")
    why = fails(lambda: s.open("/limited/two", "w").close())
    one.close()
    if why != "no error": break
    time.sleep(0.2)
say(why)
`,
    );
    await isIn(writes);
    await it.site.command("sftp", "limit", "limited", "--uploads", "1");
    expect((await said(writes)).at(-1)).toMatch(
      /limit-concurrent: the SFTP account "limited" may have 1 upload under way at once/,
    );
  });

  test("who does not log in, and who says nothing for long, is sent away", async () => {
    const socket = connect(it.port, "127.0.0.1");
    socket.resume();
    const from = performance.now();
    await once(socket, "close");
    expect(performance.now() - from).toBeGreaterThan(1500);
    expect(performance.now() - from).toBeLessThan(6000);
    const login = await it.account("silent");
    const silent = paramiko(
      login,
      `
t = connect(); s = session(t)
began = time.time()
while t.is_active() and time.time() - began < 20: time.sleep(0.1)
say(time.time() - began)
`,
    );
    const [seconds] = await said(silent);
    expect(seconds).toBeGreaterThan(2.5);
    expect(seconds).toBeLessThan(10);
    const typed = sftp(login, ["pwd"], { talks: true });
    await told(typed, /tributary: nothing came for 3 s; connect again/);
    expect(receiver.stderr()).toMatch(/"user":"silent","why":"nothing came for 3 s; connect again"/);
  });

  test.for([
    ["the account is revoked", async () => await it.site.command("sftp", "revoke", "leaver-0")],
    ["its key is taken away", async (login: Login) => await removeKey(login)],
    ["its client is suspended", async () => await it.site.command("client", "suspend", "leaver")],
  ] as const)("%s: open sessions end within 5 s, also in the middle of an upload", async ([what, act]) => {
    const number = ["the account is revoked", "its key is taken away", "its client is suspended"].indexOf(
      what,
    );
    const client = number === 2 ? "leaver" : "demo";
    if (number === 2) await it.site.command("client", "add", "leaver");
    const login = await it.account(`leaver-${number}`, { client, password: PASSWORD });
    const byKey = { ...login, password: undefined };
    const stays = paramiko(byKey, STAYS);
    const sends = paramiko(
      byKey,
      `
s = session(connect())
s.mkdir("/leaver")
f = s.open("/leaver/f.bin", "w")
say("in")
while True:
    try: f.write(b"x" * 30000); f.flush()
    except Exception as error:
        say(["out", time.time() * 1000, str(error)])
        os._exit(0)
    time.sleep(0.05)
`,
    );
    const typed = sftp(byKey, ["pwd"], { talks: true });
    await Promise.all([isIn(stays), isIn(sends), isIn(typed)]);
    await act(byKey);
    const from = Date.now();
    for (const gone of await Promise.all([out(stays), out(sends)])) expect(gone - from).toBeLessThan(5000);
    await told(typed, /tributary: (unauthenticated|client-suspended): .*(revoked|taken|suspended)/);
    expect(await it.entries("--source", "leaver", "--path", "f.bin", "--client", client)).toEqual([]);
    const ran = await sftp(byKey, ["pwd"]).ended;
    expect([ran.code, ran.stderr]).toEqual([255, expect.stringMatching(/Permission denied/)]);
    expect(ran.stderr.includes('tributary: client-suspended: the client "leaver" is suspended')).toBe(
      number === 2,
    );
  });
  async function removeKey(login: Login): Promise<void> {
    const shown = execFileSync("ssh-keygen", ["-l", "-f", `${login.key}.pub`], { encoding: "utf8" });
    const ran = await run("receiver", [
      "sftp",
      "key",
      "remove",
      login.user,
      /SHA256:\S+/.exec(shown)?.[0] ?? "",
      ...it.site.at,
    ]);
    expect(ran.code, ran.stderr).toBe(0);
  }

  test("a receiver that stops tells those who are there, and what they had begun waits for them", async () => {
    const login = await it.account("stopped");
    const stays = paramiko(
      login,
      `
s = session(connect())
s.mkdir("/stopped")
f = s.open("/stopped/f.bin", "w")
f.write(b"x" * 100000); f.flush()
say("in")
while True:
    try: s.stat("/")
    except Exception as error:
        say(["out", time.time() * 1000, str(error)])
        os._exit(0)
    time.sleep(0.1)
`,
    );
    const typed = sftp(login, ["pwd"], { talks: true });
    await Promise.all([isIn(stays), isIn(typed)]);
    const from = performance.now();
    expect(await receiver.stop()).toBe(0);
    expect(performance.now() - from).toBeLessThan(10_000);
    await out(stays);
    await told(typed, /tributary: stopping: this receiver is stopping; come again/);
    receiver = await it.site.serve();
    const { stdout } = await well(sftp(login, ["ls -l /stopped"]));
    expect(stdout).toMatch(/ 100000 .*f\.bin/);
    expect(await it.entries("--source", "stopped")).toEqual([]);
  });
});
