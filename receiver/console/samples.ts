/** For tests: a site with one of everything, and for every call of the console an input that is about something real. */
import { generateKeyPairSync } from "node:crypto";
import { parseCode } from "@tributary/shared/code.ts";
import { uuidv7 } from "@tributary/shared/uuid.ts";
import { heartbeatOf } from "../fleet/heartbeat.ts";
import { addApiKey, parseApiKey } from "../identity/apikeys.ts";
import { invite, redeem } from "../identity/invitations.ts";
import { idleHeartbeat, testHost } from "../identity/scene.ts";
import { addAccount, listAccounts } from "../identity/sftp-accounts.ts";
import { parsePublicKeys } from "../identity/ssh-public-key.ts";
import { addClient } from "../ledger/clients.ts";
import { createLedger } from "../ledger/commit.ts";
import type { VersionCapture } from "../ledger/ledger.ts";
import { sign, version } from "../ledger/samples.ts";
import { invitePerson } from "../people/invitations.ts";
import { PASSWORD } from "../people/scene.ts";
import { listSessions } from "../people/sessions.ts";
import { addWebhook } from "../webhooks/register.ts";
import type { CallName } from "./calls.ts";
import type { Input } from "./inputs.ts";
import type { ConsoleScene } from "./scene.ts";

type SampleOf<K extends CallName> = (site: SampleSite, email: string) => Promise<Input<K>> | Input<K>;

/** Each makes what it is about, so that an act that ends it can be tried again by another. `email`: who is to ask. */
export type Samples = { readonly [K in CallName]: SampleOf<K> };

export type SampleSite = ReturnType<typeof sampleSite>;

const RECEIVER = { url: "https://receiver.example.com", trust: "system" };
const CONTENT = "a,b\n1,2\n";
let made = 0;
const fresh = (what: string): string => {
  made += 1;
  return `${what}-${made}`;
};

/** Of clients `acme` and `other`, which a rig has. */
export function sampleSite(scene: ConsoleScene) {
  const { db, rig } = scene;
  const commit = async (capture: VersionCapture): Promise<string> => {
    rig.lake.objects.set(String(capture.key), Buffer.from(CONTENT));
    await createLedger(rig.database).commit([capture], sign);
    return capture.versionId;
  };
  const capture = (path: string, more: Partial<VersionCapture> = {}): VersionCapture =>
    version(path, CONTENT, more);
  const invitation = async (): Promise<{ readonly id: string; readonly secret: string }> => {
    const { id, code } = await invite(db, { clients: ["acme"], expiresMs: 3_600_000 }, RECEIVER);
    return { id, secret: parseCode(code).secret };
  };
  return {
    db,
    person: async (): Promise<string> =>
      (await scene.add(`${fresh("somebody")}@example.com`, { role: "viewer" })).id,
    client: async (): Promise<string> => {
      const name = fresh("client");
      await addClient(db, name);
      return name;
    },
    version: () => commit(capture(`${fresh("file")}.csv`)),
    quarantined: async (): Promise<string> => {
      const one = capture(`${fresh("bad")}.csv`, { finding: "Eicar" });
      return await commit({ ...one, key: String(one.key).replace("raw/", "quarantine/") });
    },
    invitation: async () => (await invitation()).id,
    /** Enrolled, and it has reported once. */
    agent: async (): Promise<string> => {
      const { secret } = await invitation();
      const { agentId, nonce } = await redeem(db, testHost(fresh("till")).enrolment(secret));
      const parts = { db, keys: rig.keys, heartbeatSeconds: 60 };
      const principal = { kind: "agent", id: agentId, clients: ["acme"] } as const;
      await heartbeatOf(parts)(principal as never, idleHeartbeat(nonce));
      return agentId;
    },
    bundle: async (agentId: string): Promise<string> => {
      const id = uuidv7();
      await db
        .insertInto("agent_diagnostics")
        .values({
          ...{ id, agent_id: agentId, command_id: uuidv7(), created_at: Date.now() },
          ...{ size: 3, body: "eHl6" },
        })
        .execute();
      return id;
    },
    key: async (): Promise<string> => parseApiKey(await addApiKey(db, { client: "acme" }))?.id as string,
    account: async (): Promise<string> => {
      const user = fresh("acme-ftp");
      await addAccount(db, { client: "acme", user, keys: parsePublicKeys(newPublicKey(), "x") });
      return user;
    },
    fingerprintOf: async (user: string): Promise<string> =>
      (await listAccounts(db, { user }))[0]?.keys[0]?.fingerprint as string,
    webhook: async (): Promise<string> =>
      (await addWebhook(db, { url: new URL("https://hooks.example.com/") }, () => "closed")).id,
    link: async (): Promise<string> =>
      await invitePerson(db, { email: `${fresh("new")}@example.com`, name: "New", role: "viewer" }),
    /** Invited, not come yet. */
    invited: async (): Promise<string> => {
      const email = `${fresh("awaited")}@example.com`;
      await invitePerson(db, { email, role: "viewer" });
      return email;
    },
    /** Another session of this person. */
    sessionOf: async (email: string): Promise<string> => {
      const { id } = await db
        .selectFrom("people")
        .select("id")
        .where("email", "=", email)
        .executeTakeFirstOrThrow();
      const row = { id: uuidv7(), person: id, token: uuidv7(), how: "password" as const, address: null };
      const times = { created_at: Date.now(), used_at: 1, expires_at: Date.now() + 3_600_000 };
      await db
        .insertInto("people_sessions")
        .values({ ...row, ...times, device: null })
        .execute();
      return (await listSessions(db, id)).at(-1)?.id as string;
    },
  };
}

const newPublicKey = (): string => {
  const { x = "" } = generateKeyPairSync("ed25519").publicKey.export({ format: "jwk" });
  const field = (bytes: Buffer): Buffer => {
    const length = Buffer.alloc(4);
    length.writeUInt32BE(bytes.length);
    return Buffer.concat([length, bytes]);
  };
  const blob = Buffer.concat([field(Buffer.from("ssh-ed25519")), field(Buffer.from(x, "base64url"))]);
  return `ssh-ed25519 ${blob.toString("base64")} somebody`;
};

const id = (make: (site: SampleSite) => Promise<string>) => async (site: SampleSite) => ({
  id: await make(site),
});
const anAgent = id((site) => site.agent());
const aPerson = id((site) => site.person());
const aVersion = id((site) => site.version());
const aClient = async (site: SampleSite) => ({ client: await site.client() });
const acme = () => ({ client: "acme" });
const nothing = () => ({});

export const SAMPLES: Samples = {
  "sign-in": nothing,
  "welcome.look": async (site) => ({ secret: await site.link() }),
  "welcome.accept": async (site) => ({ secret: await site.link(), password: PASSWORD }),
  me: nothing,
  live: nothing,

  "overview.get": nothing,
  "overview.troubled": nothing,
  "overview.punctuality": () => ({ client: "acme" }),
  "overview.client": acme,

  "clients.list": nothing,
  "clients.get": acme,
  "clients.add": () => ({ name: fresh("new") }),
  "clients.suspend": aClient,
  "clients.resume": aClient,
  "clients.offboarding": acme,
  "clients.offboard": aClient,
  "clients.bound": async (site) => ({ client: await site.client(), day: 1000, uploads: 3 }),

  "agents.list": nothing,
  "agents.get": anAgent,
  "agents.commands": anAgent,
  "agents.scan": anAgent,
  "agents.pause": anAgent,
  "agents.resume": anAgent,
  "agents.diagnose": anAgent,
  "agents.bundle": async (site) => ({ id: await site.bundle(await site.agent()) }),
  "agents.revoke": anAgent,
  "agents.bound": async (site) => ({ id: await site.agent(), day: 1000 }),

  "invitations.list": acme,
  "invitations.add": () => ({ client: "acme", name: "till" }),
  "invitations.cancel": id((site) => site.invitation()),

  "keys.list": acme,
  "keys.add": () => ({ client: "acme", name: "nightly" }),
  "keys.bound": async (site) => ({ id: await site.key(), day: 1000 }),
  "keys.revoke": id((site) => site.key()),

  "accounts.list": acme,
  "accounts.add": () => ({ client: "acme", user: fresh("acme-new"), publicKeys: newPublicKey() }),
  "accounts.bound": async (site) => ({ user: await site.account(), day: 1000 }),
  "accounts.credentials": async (site) => {
    const user = await site.account();
    const removeKey = await site.fingerprintOf(user);
    return { user, addKeys: newPublicKey(), removeKey };
  },
  "accounts.revoke": async (site) => ({ user: await site.account() }),

  "webhooks.list": nothing,
  "webhooks.add": () => ({ url: "https://hooks.example.com/acme", client: "acme" }),
  "webhooks.replay": async (site) => ({ id: await site.webhook(), dead: [] }),
  "webhooks.revoke": id((site) => site.webhook()),
  "deadletters.list": nothing,

  "deliveries.list": acme,
  "newer.count": () => ({ after: 0 }),

  "files.bounds": acme,
  "files.sources": acme,
  "files.list": () => ({ client: "acme", source: "pos" }),
  "files.versions": () => ({ client: "acme", source: "pos", path: "file.csv" }),
  "files.version": aVersion,
  "files.receipt": aVersion,
  "files.download": aVersion,
  "files.preview": aVersion,

  "search.all": () => ({ q: "file" }),
  "search.files": () => ({ q: "file" }),

  "quarantine.list": nothing,
  "quarantine.release": async (site) => ({ id: await site.quarantined(), reason: "a false alarm" }),
  "quarantine.discard": async (site) => ({ id: await site.quarantined(), reason: "it is one" }),

  "audit.list": nothing,

  "refusals.list": nothing,
  "log.lines": nothing,
  "site.diagnostics": nothing,
  "site.jwks": nothing,

  "people.list": nothing,
  "people.invite": () => ({ email: `${fresh("guest")}@example.com`, role: "viewer" }),
  "people.withdraw": async (site) => ({ email: await site.invited() }),
  "people.role": async (site) => ({ id: await site.person(), role: "operator" }),
  "people.disable": aPerson,
  "people.enable": aPerson,
  "people.reset": aPerson,
  "people.sessions": aPerson,
  "people.signout": aPerson,

  "account.get": nothing,
  "account.rename": () => ({ name: "Another" }),
  "account.revoke": async (site, email) => ({ id: await site.sessionOf(email) }),
};
