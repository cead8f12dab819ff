/** Every act on persons by the page: what it answers, what it ends, what is recorded. */
import { pino } from "pino";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { listAudit } from "../../audit/audit.ts";
import { PASSWORD } from "../../people/scene.ts";
import type { Answer } from "../../rig.ts";
import { type ConsoleScene, startConsole, type Visitor } from "../scene.ts";

const secretIn = ({ json }: Answer): string => String(json["link"]).split("#")[1] as string;

describe("people", () => {
  let scene: ConsoleScene;
  let root: Visitor;
  beforeAll(async () => {
    scene = await startConsole();
    await scene.add("root@example.com", { role: "admin" });
    root = await scene.login("root@example.com");
  });
  afterAll(async () => await scene.stop());

  const people = async () => (await root.ask("GET", "/api/people")).json;
  const idOf = async (email: string): Promise<string> => {
    const { items } = (await people()) as { items: { id: string; email: string }[] };
    return items.find((one) => one.email === email)?.id as string;
  };
  const acts = async (email: string): Promise<string[]> => {
    const { json } = await root.ask("GET", `/api/audit?subjectKind=person&subject=${email}`);
    return (json["items"] as { act: string }[]).map(({ act }) => act);
  };

  test("an invitation leads in once, and can be taken back before", async () => {
    const invited = await root.ask("POST", "/api/people", { email: "Eve@Example.com", role: "viewer" });
    expect(invited.json["link"]).toMatch(new RegExp(`^${scene.origin}/welcome#trbp_`));
    expect((await people())["links"]).toMatchObject([
      { kind: "invite", email: "eve@example.com", role: "viewer" },
    ]);
    expect((await root.ask("POST", "/api/people/withdraw", { email: "eve@example.com" })).status).toBe(200);
    const eve = scene.visitor();
    const late = await eve.ask("POST", "/api/welcome", { secret: secretIn(invited) });
    expect([late.status, late.json["code"]]).toEqual([403, "link-spent"]);
    const again = await root.ask("POST", "/api/people", { email: "eve@example.com", role: "viewer" });
    const secret = secretIn(again);
    expect((await eve.ask("POST", "/api/welcome", { secret })).json).toMatchObject({
      ...{ kind: "invite", email: "eve@example.com" },
    });
    const short = await eve.ask("POST", "/api/welcome/accept", { secret, name: "Eve", password: "short" });
    expect([short.status, short.json["detail"]]).toEqual([400, expect.stringMatching(/12/)]);
    const accept = { secret, name: "Eve", password: PASSWORD };
    expect((await eve.ask("POST", "/api/welcome/accept", accept)).json).toEqual({ email: "eve@example.com" });
    expect((await eve.ask("POST", "/api/welcome/accept", accept)).json["code"]).toBe("link-spent");
    expect(await acts("eve@example.com")).toEqual([
      ...["person.join", "person.invite", "person.withdraw", "person.invite"],
    ]);
  });

  test("the last administrator stays one, in words; with another one the role can go", async () => {
    const id = await idOf("root@example.com");
    const refused = await root.ask("PUT", `/api/people/${id}/role`, { role: "viewer" });
    expect([refused.status, refused.json["code"], refused.json["detail"]]).toEqual([
      ...[409, "last-admin", expect.stringMatching(/make another person admin first/)],
    ]);
    expect((await root.ask("POST", `/api/people/${id}/disable`, {})).json["code"]).toBe("last-admin");
    const eve = await idOf("eve@example.com");
    const uploader = await root.ask("PUT", `/api/people/${eve}/role`, { role: "uploader" });
    expect([uploader.status, uploader.json["detail"]]).toEqual([400, expect.stringMatching(/one client/)]);
    expect((await root.ask("PUT", `/api/people/${eve}/role`, { role: "admin" })).status).toBe(200);
    expect((await root.ask("PUT", `/api/people/${eve}/role`, { role: "operator" })).status).toBe(200);
  });

  test("sessions are seen and ended; who is disabled is out, and comes in again when enabled", async () => {
    const id = await idOf("eve@example.com");
    const eve = await scene.login("eve@example.com");
    expect((await root.ask("GET", `/api/people/${id}/sessions`)).json["items"]).toHaveLength(1);
    expect((await root.ask("POST", `/api/people/${id}/sign-out`, {})).status).toBe(200);
    expect((await eve.ask("GET", "/api/me")).status).toBe(401);
    const again = await scene.login("eve@example.com");
    expect((await root.ask("POST", `/api/people/${id}/disable`, {})).status).toBe(200);
    expect((await again.ask("GET", "/api/me")).status).toBe(401);
    await expect(scene.login("eve@example.com")).rejects.toThrow(/PERSON_DISABLED/);
    expect((await root.ask("POST", `/api/people/${id}/enable`, {})).status).toBe(200);
    const { json } = await (await scene.login("eve@example.com")).ask("GET", "/api/me");
    expect(json).toMatchObject({ email: "eve@example.com", role: "operator", mustSetUp: false });
  });

  test("a link to a new password takes the second factor where that is asked for", async () => {
    const id = await idOf("eve@example.com");
    const eve = await scene.login("eve@example.com", { secondFactor: true });
    expect((await eve.ask("GET", "/api/account")).json).toMatchObject({ totp: true });
    const reset = await root.ask("POST", `/api/people/${id}/reset`, { alsoSecondFactor: true });
    const accept = { secret: secretIn(reset), password: "another horse battery" };
    expect((await scene.visitor().ask("POST", "/api/welcome/accept", accept)).status).toBe(200);
    expect((await eve.ask("GET", "/api/me")).status).toBe(401);
    expect((await acts("eve@example.com")).slice(0, 2)).toEqual(["person.login", "person.reset"]);
    const { items } = (await people()) as { items: { email: string; totp: boolean }[] };
    expect(items.find(({ email }) => email === "eve@example.com")?.totp).toBe(false);
  });

  test("one's own name and sessions; of others' neither", async () => {
    const other = await scene.login("root@example.com");
    const { json } = await root.ask("GET", "/api/account");
    const sessions = json["sessions"] as { id: string; current: boolean }[];
    expect(sessions.filter(({ current }) => current)).toHaveLength(1);
    const away = sessions.find(({ current }) => !current)?.id;
    expect((await root.ask("POST", `/api/account/sessions/${away}/revoke`, {})).status).toBe(200);
    expect((await other.ask("GET", "/api/me")).status).toBe(401);
    expect((await root.ask("POST", `/api/account/sessions/${away}/revoke`, {})).status).toBe(404);
    expect((await root.ask("PUT", "/api/account/name", { name: "Root" })).status).toBe(200);
    expect((await root.ask("GET", "/api/me")).json["name"]).toBe("Root");
  });

  test("the record is found by person and time", async () => {
    const of = async (query: string) =>
      (await root.ask("GET", `/api/audit?${query}`)).json["items"] as { who: { name: string } }[];
    const own = await of("who=eve@example.com");
    expect(own.length).toBeGreaterThan(0);
    expect(new Set(own.map(({ who }) => who.name))).toEqual(new Set(["eve@example.com"]));
    const later = new Date(Date.now() + 3_600_000).toISOString();
    const earlier = new Date(Date.now() - 3_600_000).toISOString();
    expect(await of(`from=${later}`)).toEqual([]);
    expect((await of(`from=${earlier}&until=${later}`)).length).toBeGreaterThan(own.length);
  });
});

test("where a second factor is required, who has none sees his account alone, and then everything", async () => {
  const scene = await startConsole({ secondFactor: "required" });
  await scene.add("ada@example.com", { role: "admin" });
  const ada = await scene.login("ada@example.com");
  expect((await ada.ask("GET", "/api/me")).json).toMatchObject({ mustSetUp: true });
  expect((await ada.ask("GET", "/api/account")).json).toMatchObject({ mustSetUp: true, totp: false });
  const refused = await ada.ask("GET", "/api/clients");
  expect([refused.status, refused.json["detail"]]).toEqual([403, expect.stringMatching(/second factor/)]);
  const whole = await scene.login("ada@example.com", { secondFactor: true });
  expect((await whole.ask("GET", "/api/me")).json).toMatchObject({ mustSetUp: false });
  expect((await whole.ask("GET", "/api/clients")).status).toBe(200);
  await scene.stop();
});

test("the login: what it changes is recorded when it is answered; who guesses on is in log and metrics", async () => {
  const lines: Record<string, unknown>[] = [];
  const log = pino({ level: "info" }, { write: (line: string) => void lines.push(JSON.parse(line)) });
  const scene = await startConsole({ log });
  const { id } = await scene.add("ada@example.com", { role: "admin" });
  const ada = await scene.login("ada@example.com", { secondFactor: true });
  const record = async () => await listAudit(scene.db, { who: id, limit: 9 });
  expect(await record()).toMatchObject([
    { act: "person.login", before: { totp: false }, after: { changed: "authenticator app", totp: true } },
  ]);
  const change = { currentPassword: PASSWORD, newPassword: "another horse battery" };
  expect((await ada.ask("POST", "/api/auth/change-password", change)).status).toBe(200);
  expect((await record())[0]).toMatchObject({ act: "person.login", after: { changed: "password" } });

  const guess = async (password: string) =>
    await scene.visitor().ask("POST", "/api/auth/sign-in/email", { email: "ada@example.com", password });
  for (let i = 0; i < 10; i += 1) expect((await guess(`wrong ${i} horse`)).status).toBe(401);
  const slowed = await guess("wrong 11 horse");
  const requestId = slowed.headers["x-request-id"];
  expect([slowed.status, slowed.json["code"], slowed.json["requestId"]]).toEqual([
    ...[429, "limit-requests", requestId],
  ]);
  expect(Number(slowed.headers["retry-after"])).toBeGreaterThan(0);
  expect(lines).toContainEqual(expect.objectContaining({ requestId, code: "limit-requests" }));
  expect(lines).toContainEqual(
    expect.objectContaining({ kind: "LoginRefused", email: "ada@example.com", code: "limit-requests" }),
  );
  const metrics = (await scene.rig.ask("GET", "/metrics")).body.toString();
  expect(metrics).toContain('tributary_problems_total{code="limit-requests"} 1');
  await scene.stop();
});
