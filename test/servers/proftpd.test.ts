import { execFile } from "node:child_process";
import { once } from "node:events";
import { utimes, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, onTestFinished, test } from "vitest";
import { PROFTPD, type Proftpd, type ProftpdOptions, startProftpd } from "./proftpd.ts";
import { describeWithPrograms } from "./servers.ts";

/** Only root can run it. */
const asRoot = test.skipIf(process.getuid?.() !== 0);

describeWithPrograms("a real FTP server", [PROFTPD, "/usr/lib/proftpd/mod_tls.so", "curl"], () => {
  asRoot(
    "gives the same file plain, by AUTH TLS and by implicit TLS, to who trusts its authority",
    async () => {
      const ftp = await started();
      expect(await curl(ftp, "/a", "-r", "5-")).toBe("56789");
      expect(await curl(ftp, "/a", "--ssl-reqd", ...trust(ftp))).toBe("0123456789");
      expect(await curl(ftp, "ftps:/a", ...trust(ftp))).toBe("0123456789");
      await expect(curl(ftp, "ftps:/a")).rejects.toThrow("SSL certificate problem");
      expect(await curl(ftp, "/", "-X", "MLSD")).toContain("modify=20260601120000;");
      expect(await curl(ftp, "/")).toContain("Jun  1 12:00 a");
    },
  );

  asRoot("without MLSD there is LIST, in the local time of a zone", async () => {
    const ftp = await started({ deny: ["MLSD", "MLST"], zone: "America/New_York" });
    await expect(curl(ftp, "/", "-X", "MLSD")).rejects.toThrow("550");
    expect(await curl(ftp, "/")).toContain("Jun  1 08:00 a");
    expect(await curl(ftp, "/", "-Q", "FEAT", "-v")).not.toContain("MLST");
    expect(await curl(ftp, "/a", "-I")).toContain("Mon, 01 Jun 2026 12:00:00 GMT");
  });

  asRoot("refuses MDTM, REST and DELE when told to", async () => {
    const ftp = await started({ deny: ["MDTM", "REST", "DELE"] });
    expect(await curl(ftp, "/a", "-I")).not.toContain("2026");
    await expect(curl(ftp, "/a", "-r", "5-")).rejects.toThrow();
    await expect(curl(ftp, "/", "-Q", "DELE a")).rejects.toThrow("550");
    expect(await curl(ftp, "/a")).toBe("0123456789");
  });

  asRoot("can insist on TLS, and on data connections that resume its session", async () => {
    const ftp = await started({ tls: "required", sessionReuse: "required" });
    await expect(curl(ftp, "/a")).rejects.toThrow("550");
    expect(await curl(ftp, "/a", "--ssl-reqd", ...trust(ftp))).toBe("0123456789");
    await expect(curl(ftp, "/a", "--ssl-reqd", "--no-sessionid", ...trust(ftp))).rejects.toThrow();
  });

  asRoot("comes back at the same ports, with another password; what was open is over", async () => {
    const ftp = await started();
    const open = connect(ftp.port, "127.0.0.1").on("error", () => {});
    await once(open, "data");
    const over = once(open, "close");
    await ftp.dropConnections();
    await over;
    await ftp.halt();
    await expect(curl(ftp, "/a")).rejects.toThrow("connect");
    await ftp.resume();
    expect(await curl(ftp, "/a")).toBe("0123456789");
    await ftp.setPassword("next");
    await expect(curl(ftp, "/a")).rejects.toThrow("denied");
  });
});

async function started(options?: ProftpdOptions): Promise<Proftpd> {
  const ftp = await startProftpd(options);
  onTestFinished(ftp.stop);
  await writeFile(join(ftp.root, "a"), "0123456789");
  const noon = new Date("2026-06-01T12:00:00Z");
  await utimes(join(ftp.root, "a"), noon, noon);
  await writeFile(join(ftp.root, "..", "authority.pem"), ftp.authority);
  return ftp;
}

const trust = (ftp: Proftpd) => ["--cacert", join(ftp.root, "..", "authority.pem")];

async function curl(ftp: Proftpd, path: string, ...more: readonly string[]): Promise<string> {
  const url = path.startsWith("ftps:")
    ? `ftps://127.0.0.1:${ftp.implicitPort}${path.slice("ftps:".length)}`
    : `ftp://127.0.0.1:${ftp.port}${path}`;
  const words = ["-sS", "-m", "20", "-u", `${ftp.username}:${ftp.password}`, ...more, url];
  const { stdout, stderr } = await promisify(execFile)("curl", words, { encoding: "latin1", maxBuffer: 1e8 });
  return stdout + stderr;
}
