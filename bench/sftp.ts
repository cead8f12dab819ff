/**
 * The SFTP door: one file of 2 GiB beside OpenSSH's own server with an fsync at the end, 200 sessions at once, and a
 * folder of 100,000 files. The client is OpenSSH's sftp for the first; 200 sessions are a program of their own.
 */
import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { readFileSync, rmSync } from "node:fs";
import { request } from "node:https";
import { join } from "node:path";
import { Readable } from "node:stream";
import { entryHead, padding, TRAILER } from "@tributary/shared/tar.ts";
import { createDatabase, startPostgres } from "@tributary/test/servers/postgres.ts";
import { Sftp } from "@tributary/test/site/sftp.ts";
import { makeSite, peakMemory, type Site } from "@tributary/test/site/site.ts";
import type { Bench } from "./context.ts";
import { makeLargeFile, touchMemory } from "./files.ts";
import { inTurn, report, stopwatch, timed } from "./measure.ts";

const LARGE = 2 * 2 ** 30;
const SESSIONS = 200;
const SESSION_BYTES = 4 * 2 ** 20;
const USERS = ["till-1", "till-2", "till-3", "till-4", "till-5", "till-6", "till-7", "till-8"];
const LISTED = 100_000;

export async function sftp({ dir, peers, rounds }: Bench): Promise<string> {
  touchMemory(dir, (2 * rounds + 2) * LARGE);
  const postgres = await startPostgres();
  const sites: Site[] = [];
  const open = async (receiver: Readonly<Record<string, unknown>>): Promise<Site> => {
    const site = await makeSite({ sftp: true, receiver });
    sites.push(site);
    await site.command("client", "add", "bench");
    for (const user of ["bench", ...USERS]) {
      const account = ["--client", "bench", "--user", user, "--access", "read-write"];
      await site.command("sftp", "add", ...account, "--public-key", `${peers.key}.pub`);
    }
    return site;
  };
  try {
    const site = await open({ sftp: { perAddress: SESSIONS } });
    const large = await oneLargeFile(site, { dir, peers, rounds });
    const many = await manySessions(site, readFileSync(peers.key, "utf8"));
    const other = await open({ ledger: { kind: "postgres", url: await createDatabase(postgres) } });
    const listings = [
      `SQLite: ${await longListing(site, peers)}`,
      `PostgreSQL: ${await longListing(other, peers)}`,
    ];
    return `${large}\n${many}\nA folder of ${LISTED} files through OpenSSH's sftp\n${listings.join("\n")}\n`;
  } finally {
    for (const site of sites) site.remove();
    await postgres.stop();
  }
}

async function oneLargeFile(site: Site, { dir, peers, rounds }: Bench): Promise<string> {
  const receiver = await site.serve();
  const file = join(dir, "large.bin");
  await peers.sftp({ port: site.sftpPort, user: "bench" }, ["mkdir large"]);
  let round = 0;
  const results = await inTurn(
    [
      {
        name: "tributary",
        run: async (number) => {
          round = number;
          makeLargeFile(file, LARGE);
          execFileSync("sync");
          const to = { port: site.sftpPort, user: "bench" };
          return await timed(async () => await peers.sftp(to, [`put ${file} large/${round}.bin`]));
        },
      },
      {
        name: "sshd, fsync at the end",
        run: async () => {
          const at = peers.sshd;
          const taken = await timed(
            async () => await peers.sftp(at, [`put -f ${file} ${join(at.arrived, `sshd-${round}.bin`)}`]),
          );
          rmSync(file);
          return taken;
        },
      },
    ],
    rounds,
  );
  const memory = (peakMemory(receiver.pid) / 2 ** 20).toFixed(0);
  await receiver.stop();
  return `${report("2 GiB by OpenSSH's sftp", results)}\nThe receiver took ${memory} MiB at most.\n`;
}

/** All connected, and all sending, at the same time. */
async function manySessions(site: Site, privateKey: string): Promise<string> {
  const receiver = await site.serve();
  const bytes = randomBytes(SESSION_BYTES);
  const stop = stopwatch();
  const connections = await Promise.all(
    Array.from({ length: SESSIONS }, async (_, i) => {
      const user = USERS[i % USERS.length] as string;
      return await Sftp.connect({ port: site.sftpPort, user, privateKey });
    }),
  );
  const sessions = await Promise.all(connections.map((connection) => connection.session()));
  const connected = stop().seconds;
  const resting = (peakMemory(receiver.pid) / 2 ** 20).toFixed(0);
  await sessions[0]?.mkdir("/sessions");
  const { seconds } = await timed(async () => {
    await Promise.all(sessions.map((session, i) => session.put(`/sessions/${i}.bin`, bytes)));
  });
  const memory = (peakMemory(receiver.pid) / 2 ** 20).toFixed(0);
  await Promise.all(connections.map((connection) => connection.close()));
  await receiver.stop();
  return `${SESSIONS} sessions at once: connected in ${connected.toFixed(1)} s (${resting} MiB), then ${SESSION_BYTES / 2 ** 20} MiB from each in ${seconds.toFixed(1)} s; the receiver took ${memory} MiB at most.\n`;
}

/** Through OpenSSH's client, which asks for one packet of names after the other. */
async function longListing(site: Site, peers: Bench["peers"]): Promise<string> {
  const receiver = await site.serve();
  await bringFiles(site);
  const at = { port: site.sftpPort, user: "bench" };
  const first = await timed(async () => await peers.sftp(at, ["ls -1f listed"]));
  const again = await timed(async () => await peers.sftp(at, ["ls -1f listed"]));
  const long = await timed(async () => await peers.sftp(at, ["ls -lf listed"]));
  const nothing = await timed(async () => await peers.sftp(at, ["pwd"]));
  await receiver.stop();
  const s = ({ seconds }: { readonly seconds: number }): string => `${seconds.toFixed(2)} s`;
  return `${s(first)} when all of them had just come, ${s(again)} again, ${s(long)} as \`ls -l\`; ${s(nothing)} of it are the login.`;
}

/** In one bundle: its 100,000 receipts are not looked at. */
async function bringFiles(site: Site): Promise<void> {
  const key = await site.command("key", "add", "--client", "bench");
  const options = {
    ...{ method: "POST", ca: readFileSync(site.ca), port: site.port, host: "127.0.0.1" },
    ...{ path: "/v1/bundles/listed", headers: { authorization: `Bearer ${key}` } },
  };
  const sent = request(options);
  const answered = once(sent, "response");
  Readable.from(bundle()).pipe(sent);
  const [answer] = await answered;
  answer.resume();
  await once(answer, "end");
}

function* bundle(): Generator<Buffer> {
  const content = Buffer.from("one of many\n");
  const block = Buffer.concat([content, Buffer.alloc(padding(content.length))]);
  for (let i = 0; i < LISTED; i += 1) {
    const path = Buffer.from(`sales-of-till-${i}.csv`);
    yield entryHead({ path, size: content.length, mtimeNs: BigInt(Date.now()) * 1_000_000n, records: [] });
    yield block;
  }
  yield TRAILER;
}
