/**
 * The kill test on one source of each kind, against its real server. Twelve rounds each where TRIBUTARY_KILL_ROUNDS is
 * its usual 200, for what is looked through every two seconds and has to hold still for two more is slow.
 */
import { mkdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { describe, test } from "vitest";
import { cephPrograms } from "../servers/ceph.ts";
import { PROFTPD } from "../servers/proftpd.ts";
import { sambaPrograms } from "../servers/samba.ts";
import { describeWithPrograms } from "../servers/servers.ts";
import { SSHD } from "../servers/sshd.ts";
import { makeSite } from "../site/site.ts";
import { azureYard } from "../sources/azure.ts";
import { ftpYard } from "../sources/ftp.ts";
import { s3Yard } from "../sources/s3.ts";
import { sftpYard } from "../sources/sftp.ts";
import { shareYard } from "../sources/share.ts";
import type { Yard } from "../sources/yard.ts";
import { kills, type Scene, SEED } from "./kills.ts";
import { folderGround, type Ground, makeWorkload, randomOf } from "./workload.ts";

const ROUNDS = Math.ceil((Number(process.env.TRIBUTARY_KILL_ROUNDS ?? 200) * 12) / 200);
/** The folder of the place that is the source. */
const FOLDER = "files";

type Make = (own: string) => Promise<Yard & { readonly root?: string }>;

async function sceneIn(make: Make, after: string | undefined, random: () => number): Promise<Scene> {
  const site = await makeSite();
  const yard = await make(site.dir);
  const ground = yard.root === undefined ? objectGround(yard) : await groundAt(yard.root, yard);
  return {
    site,
    source: { every: "2s", ...yard.source(FOLDER), ...(after === undefined ? {} : { after }) },
    workload: makeWorkload(ground, random, { taken: after !== undefined, lineBreaks: yard.lineBreaks }),
    longestMs: 5000,
    ...(after === undefined ? {} : { taken: { left: () => yard.paths(FOLDER), moved: async () => [] } }),
    end: async () => {
      await yard.stop();
      site.remove();
    },
  };
}

/** The server's files are a folder here, which is worked in as in any other. */
async function groundAt(root: string, yard: Yard): Promise<Ground> {
  const staging = join(dirname(root), "half-made");
  await mkdir(staging);
  // Its folders are the account's, which may take from them.
  await yard.write(`${FOLDER}/first`, Buffer.alloc(0));
  await yard.remove(`${FOLDER}/first`);
  return folderGround({ folder: join(root, FOLDER), staging, owner: yard.owner });
}

/** Objects appear whole, and have no folders. */
function objectGround(yard: Yard): Ground {
  const at = (name: string): string => `${FOLDER}/${name}`;
  return {
    replace: (name, bytes) => yard.write(at(name), bytes),
    remove: (name) => yard.remove(at(name)),
    rename: (from, to) => yard.rename(at(from), at(to)),
  };
}

function killsIn(make: Make, after?: string): void {
  const how = after === undefined ? "" : `after: ${after}, `;
  test(`${how}${ROUNDS} kills at random points lose, double and swap nothing (seed ${SEED})`, {
    timeout: 180_000 + ROUNDS * 20_000,
  }, async () => {
    const random = randomOf(SEED);
    await kills(await sceneIn(make, after, random), random, ROUNDS);
  });
}

/** Only root can run the servers that have accounts of their own. */
const isRoot = process.getuid?.() === 0;

describe.runIf(isRoot)(
  `kills, of a source${isRoot ? "" : " (skipped: only root can start its servers)"}`,
  { concurrent: true },
  () => {
    describeWithPrograms("sftp", [SSHD, "ssh-keygen"], () => {
      killsIn(sftpYard);
      killsIn(sftpYard, "delete");
    });
    describeWithPrograms("ftp", [PROFTPD, "/usr/lib/proftpd/mod_tls.so"], () => killsIn(ftpYard));
    describeWithPrograms("share", sambaPrograms, () => killsIn(shareYard));
    describeWithPrograms("s3", cephPrograms, () => killsIn(s3Yard));
    describe("azure-blob", () => killsIn(azureYard));
  },
);
