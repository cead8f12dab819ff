import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Client, type ConnectConfig, type SFTPWrapper } from "ssh2";
import { expect, onTestFinished, test } from "vitest";
import { describeWithPrograms } from "./servers.ts";
import { SSHD, type Sshd, type SshdOptions, startSshd } from "./sshd.ts";

/** Passwords, chroots and other users are root's. */
const asRoot = test.skipIf(process.getuid?.() !== 0);

describeWithPrograms("a real OpenSSH server", [SSHD, "ssh-keygen"], () => {
  asRoot("takes the key and the password, shows the folder as /, and the host key it said", async () => {
    const sshd = await started({ chroot: true });
    await writeFile(join(sshd.root, "a"), "bytes");
    const [ed25519] = await sshd.hostKeys();
    for (const how of [{ privateKey: sshd.privateKey }, { password: sshd.password }]) {
      const { sftp, key } = await login(sshd, { ...how, algorithms: { serverHostKey: ["ssh-ed25519"] } });
      expect(`ssh-ed25519 ${key.toString("base64")}`).toBe(ed25519?.publicKey);
      expect(await read(sftp, "a")).toBe("bytes");
      expect(await read(sftp, "/a")).toBe("bytes");
    }
  });

  asRoot("lets nobody write when it is read-only, and another user not read what is not his", async () => {
    const sshd = await started({ readOnly: true, uid: 65_534 });
    await writeFile(join(sshd.root, "mine"), "bytes", { mode: 0o600 });
    const { sftp } = await login(sshd, { password: sshd.password });
    await expect(read(sftp, "mine")).rejects.toThrow("Permission denied");
    await expect(
      new Promise((resolve, reject) => sftp.writeFile("new", "", (e) => (e ? reject(e) : resolve(0)))),
    ).rejects.toThrow("Permission denied");
  });

  asRoot(
    "comes back at the same port with other host keys and another password; what was open is over",
    async () => {
      const sshd = await started();
      const before = await sshd.hostKeys();
      const first = await login(sshd, { privateKey: sshd.privateKey });
      await sshd.dropConnections();
      await first.closed;
      const second = await login(sshd, { privateKey: sshd.privateKey });
      await sshd.halt();
      await second.closed;
      await expect(login(sshd, { privateKey: sshd.privateKey })).rejects.toThrow("ECONNREFUSED");
      await sshd.resume("other");
      const after = await sshd.hostKeys();
      expect(after.map((key) => key.kind)).toEqual(["ssh-ed25519", "ssh-rsa"]);
      expect(after[0]?.fingerprint).not.toBe(before[0]?.fingerprint);
      await sshd.setPassword("next");
      await expect(login(sshd, { password: sshd.password })).rejects.toThrow("authentication");
      await login(sshd, { password: "next" });
      expect(await readFile("/etc/passwd", "utf8")).not.toContain(sshd.root);
    },
  );
});

async function started(options?: SshdOptions): Promise<Sshd> {
  const sshd = await startSshd(options);
  onTestFinished(sshd.stop);
  return sshd;
}

function login(
  sshd: Sshd,
  how: { readonly password?: string | undefined } & Omit<ConnectConfig, "password">,
) {
  const client = new Client();
  const closed = new Promise((resolve) => client.on("close", () => resolve(undefined)));
  onTestFinished(() => void client.end());
  return new Promise<{ sftp: SFTPWrapper; key: Buffer; closed: Promise<unknown> }>((resolve, reject) => {
    let key: Buffer = Buffer.alloc(0);
    client.on("error", reject).on("ready", () =>
      client.sftp((error, sftp) => {
        if (error) reject(error);
        else resolve({ sftp, key, closed });
      }),
    );
    const { port, username } = sshd;
    const hostVerifier = (shown: Buffer) => {
      key = shown;
      return true;
    };
    client.connect({ host: "127.0.0.1", port, username, hostVerifier, ...how } as ConnectConfig);
  });
}

function read(sftp: SFTPWrapper, path: string): Promise<string> {
  return new Promise((resolve, reject) => {
    sftp.readFile(path, (error, data) => {
      if (error) reject(error);
      else resolve(String(data));
    });
  });
}
