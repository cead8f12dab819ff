import { formatCode, parseCode } from "@tributary/shared/code.ts";
import { enrollAnswer } from "@tributary/shared/protocol.ts";
import { describe, expect, onTestFinished, test } from "vitest";
import { enrolOf } from "../fleet/enrol.ts";
import { getAgent, listAgents, revokeAgent } from "./agents.ts";
import { invite, redeem } from "./invitations.ts";
import { openScene, RECEIVER, testHost } from "./scene.ts";

const refusal = (code: string) => expect.objectContaining({ name: "ProblemError", code });

describe("inviting", () => {
  test("the code carries address, trust and a secret that the ledger does not hold", async () => {
    const { db } = await openScene(onTestFinished);
    const code = parseCode((await invite(db, { clients: ["bakery"], expiresMs: 1000 }, RECEIVER)).code);
    expect(code).toMatchObject({ url: RECEIVER.url, trust: RECEIVER.trust });
    expect(JSON.stringify(await db.selectFrom("invitations").selectAll().execute())).not.toContain(
      code.secret,
    );
  });

  test("every client and the replaced agent must exist", async () => {
    const { db } = await openScene(onTestFinished);
    const wanted = { expiresMs: 1000 };
    await expect(invite(db, { ...wanted, clients: ["bakery", "dairy"] }, RECEIVER)).rejects.toEqual(
      refusal("not-found"),
    );
    await expect(invite(db, { ...wanted, clients: [] }, RECEIVER)).rejects.toEqual(
      refusal("request-invalid"),
    );
    await expect(
      invite(db, { ...wanted, clients: ["bakery"], replaces: "nobody" }, RECEIVER),
    ).rejects.toEqual(refusal("not-found"));
    expect(await db.selectFrom("invitations").selectAll().execute()).toEqual([]);
  });

  test("a truncated code is no code", () => {
    const code = formatCode({ url: "https://r.test", secret: "s".repeat(43), trust: "system" });
    for (const cut of [1, 10, 40]) expect(() => parseCode(code.slice(0, -cut))).toThrow(refusal("usage"));
  });
});

describe("redeeming", () => {
  test("makes an agent of the clients, named as invited or as its host", async () => {
    const scene = await openScene(onTestFinished);
    const till = testHost();
    const made = await redeem(scene.db, till.enrolment(await scene.secret(["mill", "bakery"])));
    expect(await getAgent(scene.db, made.agentId)).toMatchObject({
      ...{ name: "till-1", clients: ["bakery", "mill"], state: "active" },
      ...{ host: "till-1", platform: "linux-x64", lastSeenAt: null, status: null },
    });
    const named = testHost();
    const again = await redeem(scene.db, named.enrolment(await scene.secret(["mill"], { name: "front" })));
    expect(again.name).toBe("front");
  });

  test("repeated with the same key gives the same answer, also after the code's end", async () => {
    const scene = await openScene(onTestFinished);
    const keys = { site: crypto.randomUUID(), jwks: () => ({ keys: [] }), trust };
    const enrol = enrolOf({ db: scene.db, keys, now: () => scene.clock.now });
    const request = testHost().enrolment(await scene.secret(["bakery"]));
    const first = enrollAnswer.parse(await enrol(request));
    expect(await enrol(request)).toEqual(first);
    scene.clock.now += 7_200_000;
    expect(await enrol(request)).toEqual(first);
    expect(await listAgents(scene.db)).toHaveLength(1);
  });

  test("a code is refused to another key, after its end, and by a receiver that did not make it", async () => {
    const scene = await openScene(onTestFinished);
    const { db, clock } = scene;
    const secret = await scene.secret(["bakery"]);
    await redeem(db, testHost().enrolment(secret), clock.now);
    await expect(redeem(db, testHost().enrolment(secret), clock.now)).rejects.toEqual(refusal("code-used"));
    const old = await scene.secret(["bakery"]);
    await expect(redeem(db, testHost().enrolment(old), clock.now + 3_600_000)).rejects.toEqual(
      refusal("code-expired"),
    );
    const other = await openScene(onTestFinished);
    await expect(redeem(other.db, testHost().enrolment(old), clock.now)).rejects.toEqual(
      refusal("code-unknown"),
    );
    expect(await listAgents(db)).toHaveLength(1);
  });

  test("of many hosts at once one gets it", async () => {
    const scene = await openScene(onTestFinished);
    const secret = await scene.secret(["bakery"]);
    const results = await Promise.allSettled(
      Array.from({ length: 8 }, () => redeem(scene.db, testHost().enrolment(secret))),
    );
    expect(results.filter((one) => one.status === "fulfilled")).toHaveLength(1);
    expect(await listAgents(scene.db)).toHaveLength(1);
  });

  test("a key that is enrolled already is refused, in no spelling, and the code stays good", async () => {
    const scene = await openScene(onTestFinished);
    const till = testHost();
    await redeem(scene.db, till.enrolment(await scene.secret(["bakery"])));
    const secret = await scene.secret(["mill"]);
    await expect(redeem(scene.db, till.enrolment(secret))).rejects.toEqual(refusal("request-invalid"));
    const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    const last = alphabet[alphabet.indexOf(till.x.at(-1) as string) + 1] as string;
    const respelt = { kty: "OKP", crv: "Ed25519", x: till.x.slice(0, -1) + last } as const;
    await expect(redeem(scene.db, { ...till.enrolment(secret), publicKey: respelt })).rejects.toEqual(
      refusal("request-invalid"),
    );
    await expect(redeem(scene.db, testHost().enrolment(secret))).resolves.toMatchObject({
      clients: ["mill"],
    });
  });

  test("a revoked agent does not come back with its old code", async () => {
    const scene = await openScene(onTestFinished);
    const request = testHost().enrolment(await scene.secret(["bakery"]));
    const { agentId } = await redeem(scene.db, request);
    await revokeAgent(scene.db, agentId);
    await expect(redeem(scene.db, request)).rejects.toEqual(refusal("agent-revoked"));
    await expect(revokeAgent(scene.db, "nobody")).rejects.toEqual(refusal("not-found"));
  });

  test("a move to a new host keeps id, name and clients; the old key's code is used up", async () => {
    const scene = await openScene(onTestFinished);
    const before = testHost("old-host").enrolment(await scene.secret(["bakery"], { name: "front" }));
    const { agentId } = await redeem(scene.db, before);
    await scene.db.updateTable("agents").set({ state: "forked", nonce_previous: "n0" }).execute();
    const moved = testHost("new-host");
    const secret = await scene.secret([], { replaces: agentId });
    const answer = await redeem(scene.db, moved.enrolment(secret));
    expect(answer).toMatchObject({ agentId, name: "front", clients: ["bakery"] });
    const rows = await scene.db.selectFrom("agents").selectAll().execute();
    expect(rows).toMatchObject([
      { id: agentId, public_key: moved.x, state: "active", host: "new-host", nonce_previous: null },
    ]);
    await expect(redeem(scene.db, before)).rejects.toEqual(refusal("code-used"));
    expect(await redeem(scene.db, moved.enrolment(secret))).toEqual(answer);
  });
});

function trust() {
  return { authorities: [], system: true };
}
