import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { promisify } from "node:util";
import { GetObjectCommand, PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import pg from "pg";
import { expect, test } from "vitest";
import { createSandbox } from "./sandbox.ts";
import { describeWithPostgres, describeWithS3, freshBucket, freshDatabase } from "./servers.ts";

describeWithS3("a real S3 server", (s3) => {
  test("keeps an object", async () => {
    const Bucket = await freshBucket(s3);
    const { endpoint, region, ...credentials } = s3;
    const client = new S3Client({ endpoint, region, credentials, forcePathStyle: true });
    await client.send(new PutObjectCommand({ Bucket, Key: "a", Body: "bytes" }));
    const object = await client.send(new GetObjectCommand({ Bucket, Key: "a" }));
    expect(await object.Body?.transformToString()).toBe("bytes");
  });
});

describeWithPostgres("a real PostgreSQL", (postgres) => {
  test("is as durable as in service", async () => {
    const client = new pg.Client({ connectionString: await freshDatabase(postgres) });
    await client.connect();
    const { rows } = await client.query(
      "SELECT name, setting FROM pg_settings WHERE name IN ('fsync', 'synchronous_commit', 'full_page_writes') ORDER BY name",
    );
    await client.end();
    expect(rows.map((row) => row.setting)).toEqual(["on", "on", "on"]);
  });
});

const gone = async (pid: number) => {
  const { stdout } = await promisify(execFile)("ps", ["-o", "stat=", "-p", `${pid}`]).catch(() => ({
    stdout: "",
  }));
  return stdout.trim() === "" || stdout.startsWith("Z");
};

test("stopping a sandbox ends its programs, their children too, and removes its folder", async () => {
  const sandbox = await createSandbox("test");
  const child = sandbox.start("shell", "/bin/sh", ["-c", "sleep 60 & echo $!; wait"]);
  await expect.poll(() => sandbox.lastWords("shell")).toMatch(/^\d+$/);
  const grandchild = Number(await sandbox.lastWords("shell"));
  await sandbox.stop();
  await expect.poll(() => gone(child.pid ?? 0)).toBe(true);
  await expect.poll(() => gone(grandchild)).toBe(true);
  await expect.poll(() => existsSync(sandbox.folder)).toBe(false);
});

test("a killed test run leaves no program and no folder behind", async () => {
  const script = `
    const { createSandbox } = await import(${JSON.stringify(new URL("sandbox.ts", import.meta.url).href)});
    const sandbox = await createSandbox("test");
    const child = sandbox.start("sleep", "sleep", ["60"]);
    process.stdout.write(JSON.stringify({ folder: sandbox.folder, pid: child.pid }), () => process.kill(process.pid, "SIGKILL"));`;
  const run = promisify(execFile)(process.execPath, ["--input-type=module", "-e", script]);
  const { stdout } = (await run.catch((error: unknown) => error)) as { stdout: string };
  const { folder, pid } = JSON.parse(stdout) as { folder: string; pid: number };
  await expect.poll(() => gone(pid), { timeout: 5000 }).toBe(true);
  await expect.poll(() => existsSync(folder), { timeout: 5000 }).toBe(false);
});
