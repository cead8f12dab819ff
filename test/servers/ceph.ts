import { mkdir, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";
import { createSandbox, freePorts, type Sandbox, untilReady } from "./sandbox.ts";

/** Where an S3 server is and who may use it; the fields of `lake: { kind: s3 }` (path style). */
export interface S3Server {
  readonly endpoint: string;
  readonly region: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

/** One that a test started for itself. */
export interface Ceph extends S3Server {
  /** The only secret of `accessKeyId` from now on. */
  setSecret(next: string): Promise<void>;
  stop(): Promise<void>;
}

/** The programs of a one-node Ceph; `.ci/prepare` installs them. */
export const cephPrograms = [
  "monmaptool",
  "ceph-mon",
  "ceph-osd",
  "ceph-mgr",
  "ceph",
  "radosgw",
  "radosgw-admin",
];

/**
 * Starts a real Ceph with an S3 gateway on loopback, in about a second, with the data in memory.
 * Short Paxos intervals and pools of one placement group make it that fast: every pool that the gateway
 * creates is a proposal. Tries again when a daemon loses Ceph's own race (it speaks to the monitor before it
 * has learned the cluster's id, and gives up with "wrong fsid": one start in twenty).
 */
export async function startCeph(attempts = 5): Promise<Ceph> {
  const sandbox = await createSandbox("ceph");
  try {
    return { ...(await boot(sandbox)), stop: sandbox.stop };
  } catch (error) {
    const words = await Promise.all(["mon", "osd", "mgr", "rgw"].map(sandbox.lastWords));
    await sandbox.stop();
    if (attempts > 1) return startCeph(attempts - 1);
    throw new Error(`Ceph did not start: ${error}\n${words.join("\n")}`, { cause: error });
  }
}

async function boot(sandbox: Sandbox): Promise<Omit<Ceph, "stop">> {
  const dir = sandbox.folder;
  const [port, monPort] = (await freePorts(2)) as [number, number];
  const cluster = crypto.randomUUID();
  const osd = crypto.randomUUID();
  const env = { CEPH_CONF: join(dir, "ceph.conf") };
  const folders = ["mon", "mgr", "osd", "rgw", "run", "modules"];
  await Promise.all(folders.map((name) => mkdir(join(dir, name))));
  await writeFile(env.CEPH_CONF, configuration(dir, cluster, port));
  await writeFile(join(dir, "keyring"), "");

  const monitors = ["--create", "--clobber", "--fsid", cluster, "--addv", "a", `[v1:127.0.0.1:${monPort}]`];
  await sandbox.run("monmaptool", [...monitors, join(dir, "monmap")]);
  const seed = ["--mkfs", "-i", "a", "--monmap", join(dir, "monmap"), "--keyring", join(dir, "keyring")];
  await sandbox.run("ceph-mon", seed, { env });
  sandbox.start("mon", "ceph-mon", ["-f", "-i", "a"], { env });
  const id = (await sandbox.run("ceph", ["osd", "new", osd], { env })).trim();
  await sandbox.run("ceph", ["osd", "crush", "add", `osd.${id}`, "1", "host=a", "root=default"], { env });
  await sandbox.run("ceph-osd", ["-i", id, "--mkfs", "--osd-uuid", osd], { env });
  const store = sandbox.start("osd", "ceph-osd", ["-f", "-i", id], { env });
  const manager = sandbox.start("mgr", "ceph-mgr", ["-f", "-i", "x"], { env });
  const gateway = sandbox.start("rgw", "radosgw", ["-f", "-n", "client.rgw.a"], { env });
  await untilReady([store, manager, gateway], () => answers(port), 20);

  const accessKeyId = "tributary";
  const secretAccessKey = crypto.randomUUID();
  const user = ["user", "create", "--uid=test", "--display-name=test"];
  const keys = [`--access-key=${accessKeyId}`, `--secret-key=${secretAccessKey}`];
  await sandbox.run("radosgw-admin", [...user, ...keys], { env });
  return {
    endpoint: `http://127.0.0.1:${port}`,
    region: "us-east-1",
    accessKeyId,
    secretAccessKey,
    async setSecret(next) {
      const key = ["key", "create", "--uid=test", "--key-type=s3", `--access-key=${accessKeyId}`];
      await sandbox.run("radosgw-admin", [...key, `--secret-key=${next}`], { env });
    },
  };
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.once("connect", () => resolve(true)).once("error", () => resolve(false));
    socket.once("connect", () => socket.destroy());
  });
}

function configuration(dir: string, cluster: string, port: number): string {
  return `[global]
fsid = ${cluster}
monmap = ${dir}/monmap
public addr = 127.0.0.1
cluster addr = 127.0.0.1
ms bind msgr2 = false
auth cluster required = none
auth service required = none
auth client required = none
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 1
osd pool default pgp num = 1
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
mon allow pool size one = true
mon max pg per osd = 2000
paxos propose interval = 0.01
paxos min wait = 0.01
run dir = ${dir}/run
admin socket = ${dir}/run/$name.asok
log file = ${dir}/$name.ceph.log
keyring = ${dir}/keyring
[mon]
mon data = ${dir}/mon
mgr initial modules =
mon data avail crit = 1
mon data avail warn = 2
[mgr]
mgr data = ${dir}/mgr
mgr module path = ${dir}/modules
[osd]
osd data = ${dir}/osd
osd class update on start = false
osd crush update on start = false
osd objectstore = memstore
memstore device bytes = 6442450944
[client.rgw.a]
rgw frontends = beast endpoint=127.0.0.1:${port}
rgw data = ${dir}/rgw
rgw dns name = localhost
`;
}
