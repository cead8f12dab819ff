import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { azure } from "./azure-requests.ts";
import { startAzurite } from "./azurite.ts";
import { cephPrograms, startCeph } from "./ceph.ts";
import { PROFTPD, startProftpd } from "./proftpd.ts";
import { freshBucket } from "./servers.ts";
import { SSHD, startSshd } from "./sshd.ts";

/** Where files lie away from an agent's host: a source of agent.yaml without client and name. */
export interface Away {
  readonly kind: "sftp" | "ftp" | "s3" | "azure-blob";
  readonly source: Readonly<Record<string, unknown>>;
  /** What `{ env }` in the source refers to. */
  readonly env: Readonly<Record<string, string>>;
  stop(): Promise<void>;
}

export const everyKindPrograms = [SSHD, PROFTPD, ...cephPrograms];

/** A real server of every kind, each with one file of this name and content. Only root can run them. */
export async function startEveryKind(name: string, content: string): Promise<readonly Away[]> {
  const starting = [sftp, ftp, s3, azureBlob].map((start) => start(name, content));
  try {
    return await Promise.all(starting);
  } catch (error) {
    for (const one of await Promise.allSettled(starting))
      if (one.status === "fulfilled") await one.value.stop();
    throw error;
  }
}

async function sftp(name: string, content: string): Promise<Away> {
  const server = await startSshd();
  await writeFile(join(server.root, name), content);
  const hostKey = (await server.hostKeys()).map(({ fingerprint }) => fingerprint);
  return {
    kind: "sftp",
    source: {
      ...{ kind: "sftp", host: "127.0.0.1", port: server.port, user: server.username },
      ...{ privateKey: { env: "SFTP_KEY" }, hostKey, path: server.seen },
    },
    env: { SFTP_KEY: server.privateKey },
    stop: server.stop,
  };
}

async function ftp(name: string, content: string): Promise<Away> {
  const server = await startProftpd({ tls: "required" });
  await writeFile(join(server.root, name), content);
  const ca = join(server.root, "..", "authority.pem");
  await writeFile(ca, server.authority);
  return {
    kind: "ftp",
    source: {
      ...{ kind: "ftp", host: "127.0.0.1", port: server.port, user: server.username },
      ...{ password: { env: "FTP_PASSWORD" }, ca },
    },
    env: { FTP_PASSWORD: server.password },
    stop: server.stop,
  };
}

async function s3(name: string, content: string): Promise<Away> {
  const server = await startCeph();
  const { endpoint, region, accessKeyId, secretAccessKey } = server;
  const bucket = await freshBucket(server);
  const credentials = { accessKeyId, secretAccessKey };
  const client = new S3Client({ endpoint, region, forcePathStyle: true, credentials });
  await client.send(new PutObjectCommand({ Bucket: bucket, Key: name, Body: content }));
  client.destroy();
  return {
    kind: "s3",
    source: {
      ...{ kind: "s3", bucket, endpoint, region, accessKeyId },
      secretAccessKey: { env: "S3_SECRET" },
    },
    env: { S3_SECRET: secretAccessKey },
    stop: server.stop,
  };
}

async function azureBlob(name: string, content: string): Promise<Away> {
  const server = await startAzurite();
  const container = { path: "/exports", method: "PUT", query: { restype: "container" } } as const;
  const headers = { "x-ms-blob-type": "BlockBlob" };
  for (const wanted of [
    container,
    { path: `/exports/${name}`, method: "PUT", body: content, headers } as const,
  ]) {
    const { status, body } = await azure(server, wanted);
    if (status !== 201) throw new Error(`Azurite answered ${status}: ${body}`);
  }
  return {
    kind: "azure-blob",
    source: {
      ...{ kind: "azure-blob", account: server.account, container: "exports", endpoint: server.endpoint },
      accountKey: { env: "AZURE_KEY" },
    },
    env: { AZURE_KEY: server.key },
    stop: server.stop,
  };
}
