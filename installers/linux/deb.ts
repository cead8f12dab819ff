/** .deb: made by dpkg-deb, with gzip, which every dpkg unpacks and which takes a tenth of xz's time. */
import { execFileSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { run } from "../run.ts";
import { type LinuxProduct, scriptFunctions } from "./product.ts";
import { layOut, put } from "./tree.ts";

const ARCH = { x64: "amd64", arm64: "arm64" } as const;

export const debName = ({ name, version, arch }: Pick<LinuxProduct, "name" | "version" | "arch">): string =>
  `${name}_${version}_${ARCH[arch]}.deb`;

/** Makes `out`. `scratch`: an empty folder on the file system of the executable. */
export async function makeDeb(product: LinuxProduct, out: string, scratch: string): Promise<void> {
  const root = join(scratch, "root");
  mkdirSync(root, { recursive: true });
  layOut(root, product);
  put(join(root, "DEBIAN/control"), control(product, kilobytes(root)));
  for (const [script, text] of Object.entries(scripts(product)))
    put(join(root, "DEBIAN", script), `#!/bin/sh\nset -e\n${text}`, 0o755);
  await run("dpkg-deb", ["--root-owner-group", "-Zgzip", "-z4", "--build", root, out]);
}

const kilobytes = (folder: string): number =>
  Number(execFileSync("du", ["-sk", "--apparent-size", folder], { encoding: "utf8" }).split("\t")[0]);

function control({ name, version, arch, summary, description, needs }: LinuxProduct, size: number): string {
  return `Package: ${name}
Version: ${version}
Architecture: ${ARCH[arch]}
Maintainer: Tributary <packages@tributary.invalid>
Section: net
Priority: optional
Installed-Size: ${size}
Depends: ${needs.deb.join(", ")}
Description: ${summary}
${description.map((line) => ` ${line}`).join("\n")}
`;
}

function scripts(product: LinuxProduct): Readonly<Record<string, string>> {
  const { name } = product;
  return {
    postinst: `${scriptFunctions(product)}
if [ "$1" = configure ]; then
  make_account
  # Enabled at the first installation alone: who disabled it since did so on purpose.
  if [ -z "$2" ]; then systemctl enable --quiet ${name}.service || true; fi
  start_service
fi
`,
    prerm: `
if [ "$1" = remove ] && [ -d /run/systemd/system ]; then systemctl stop ${name}.service || true; fi
`,
    postrm: `${scriptFunctions(product)}
# Removed, it leaves key, queue and settings for the next installation; purged, nothing.
if [ "$1" = purge ]; then
  rm -rf /var/lib/${name} /etc/${name} /etc/systemd/system/${name}.service.d
  rm -f /etc/systemd/system/multi-user.target.wants/${name}.service
  if getent passwd ${name} > /dev/null; then userdel ${name} || true; fi
fi
if [ "$1" = remove ] || [ "$1" = purge ]; then reload_systemd; fi
`,
  };
}
