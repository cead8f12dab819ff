/** Two receivers of one site, each with its console: who is signed in at one is so at the other, and out at both. */
import { describeWithPostgres } from "@tributary/test/servers/servers.ts";
import { freePort } from "@tributary/test/site/process.ts";
import { expect, onTestFinished, test } from "vitest";
import { postgresPlaces } from "../ledger/place.contract.ts";
import { firstAdminLink } from "../people/invitations.ts";
import { PASSWORD } from "../people/scene.ts";
import { type ConsoleScene, startConsole, type Visitor } from "./scene.ts";

describeWithPostgres("two consoles of one site", (server) => {
  const newPlace = postgresPlaces(server);
  /** Both behind one address, as a proxy has them. */
  const url = "https://console.example.com";

  async function two(): Promise<readonly [ConsoleScene, ConsoleScene]> {
    const open = await newPlace();
    const settings = { console: { url } };
    const ports = [await freePort(), await freePort()] as const;
    const one = await startConsole({ database: await open(), port: ports[0], settings });
    onTestFinished(() => one.stop());
    const other = await startConsole({ database: await open(), port: ports[1], keysOf: one.rig, settings });
    onTestFinished(() => other.stop());
    return [one, other];
  }

  /** The same browser at the other receiver. */
  const at = (scene: ConsoleScene, { cookies }: Visitor): Visitor => {
    const visitor = scene.visitor();
    for (const [name, value] of cookies) visitor.cookies.set(name, value);
    return visitor;
  };

  test("a session counts at both, and ends at both", async () => {
    const [one, other] = await two();
    await one.add("ada@example.com", { role: "admin" });
    const ada = await one.login("ada@example.com");
    const there = at(other, ada);
    const status = async (visitor: Visitor) => (await visitor.ask("GET", "/api/me")).status;
    expect([await status(ada), await status(there)]).toEqual([200, 200]);
    const { json } = await there.ask("GET", "/api/account");
    const [{ id }] = json["sessions"] as [{ id: string }];
    expect((await there.ask("POST", `/api/account/sessions/${id}/revoke`, {})).status).toBe(200);
    expect([await status(ada), await status(there)]).toEqual([401, 401]);

    const again = await other.login("ada@example.com");
    expect(await status(at(one, again))).toBe(200);
    expect((await at(one, again).ask("POST", "/api/auth/sign-out", {})).status).toBe(200);
    expect(await status(again)).toBe(401);
  });

  test("whichever printed its link last, it is good at either", async () => {
    const [one, other] = await two();
    const links = await Promise.all([firstAdminLink(one.db), firstAdminLink(other.db)]);
    for (const secret of links)
      for (const scene of [one, other])
        expect((await scene.visitor().ask("POST", "/api/welcome", { secret })).status).toBe(200);
    const given = { email: "ada@example.com", name: "Ada", password: PASSWORD };
    const accept = (scene: ConsoleScene, secret: string | undefined) =>
      scene.visitor().ask("POST", "/api/welcome/accept", { ...given, secret });
    expect((await accept(other, links[0])).status).toBe(200);
    expect((await accept(one, links[1])).json).toMatchObject({ code: "link-spent" });
    await one.login("ada@example.com");
  });
});
