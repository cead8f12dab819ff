import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, onTestFinished, test } from "vitest";
import { sambaPrograms, startSamba } from "./samba.ts";
import { describeWithPrograms } from "./servers.ts";

/** Only root can run it. */
const asRoot = test.skipIf(process.getuid?.() !== 0);

describeWithPrograms("a real SMB server, mounted", sambaPrograms, () => {
  asRoot(
    "shows on the mount what is on the server, and on the server what is written to the mount",
    async () => {
      const samba = await startSamba();
      onTestFinished(samba.stop);
      const { folder } = await samba.mount();
      await writeFile(join(samba.root, "a"), "bytes");
      await expect.poll(() => readdir(folder)).toEqual(["a"]);
      expect(await readFile(join(folder, "a"), "utf8")).toBe("bytes");
      await writeFile(join(folder, "b"), "back");
      await expect.poll(() => readFile(join(samba.root, "b"), "utf8").catch(() => "")).toBe("back");
      await rm(join(folder, "b"));
      expect(await readdir(samba.root)).toEqual(["a"]);
    },
  );

  asRoot("goes and comes back: server, connection, mount and client", async () => {
    const samba = await startSamba();
    onTestFinished(samba.stop);
    const mount = await samba.mount({ cacheSeconds: 0 });
    const list = () => readdir(mount.folder).catch((error: NodeJS.ErrnoException) => error.code);
    await writeFile(join(samba.root, "a"), "bytes");
    await samba.dropConnections();
    await expect.poll(list).toEqual(["a"]);
    await samba.halt();
    await expect.poll(list).toBe("EIO");
    await samba.resume();
    await expect.poll(list).toEqual(["a"]);
    await mount.unmount();
    expect(await list()).toEqual([]);
    await mount.mount();
    expect(await list()).toEqual(["a"]);
    await mount.kill();
    expect(await list()).toBe("ENOTCONN");
    await mount.mount();
    expect(await list()).toEqual(["a"]);
  });

  asRoot("a killed test run leaves no mount and no folder behind", async () => {
    const script = `
      const { startSamba } = await import(${JSON.stringify(new URL("samba.ts", import.meta.url).href)});
      const { folder } = await (await startSamba()).mount();
      process.stdout.write(folder, () => process.kill(process.pid, "SIGKILL"));`;
    const run = promisify(execFile)(process.execPath, ["--input-type=module", "-e", script]);
    const { stdout } = (await run.catch((error: unknown) => error)) as { stdout: string };
    expect(stdout).toContain("/mount0");
    await expect.poll(async () => (await readFile("/proc/mounts", "utf8")).includes(stdout)).toBe(false);
    await expect.poll(() => existsSync(join(stdout, ".."))).toBe(false);
  });
});
