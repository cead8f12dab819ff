/** .tar.gz: the executable and a script, for systems without dpkg and rpm. */
import { createHash } from "node:crypto";
import { chmodSync, copyFileSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { run } from "../run.ts";
import type { LinuxProduct } from "./product.ts";
import { put } from "./tree.ts";

const folderName = ({ name, version, arch }: Pick<LinuxProduct, "name" | "version" | "arch">): string =>
  `${name}-${version}-linux-${arch}`;

export const tarballName = (product: Pick<LinuxProduct, "name" | "version" | "arch">): string =>
  `${folderName(product)}.tar.gz`;

/** Makes `out`. `scratch`: an empty folder on the file system of the executable. */
export async function makeTarball(product: LinuxProduct, out: string, scratch: string): Promise<void> {
  const folder = join(scratch, folderName(product));
  mkdirSync(folder, { recursive: true });
  copyFileSync(product.executable, join(folder, product.name));
  chmodSync(join(folder, product.name), 0o755);
  copyFileSync(join(import.meta.dirname, "install.sh"), join(folder, "install.sh"));
  chmodSync(join(folder, "install.sh"), 0o755);
  for (const [file, text] of product.docs) put(join(folder, file), text);
  const sums = [product.name, "install.sh", ...product.docs.keys()].map((file) => {
    const digest = createHash("sha256")
      .update(readFileSync(join(folder, file)))
      .digest("hex");
    return `${digest}  ${file}\n`;
  });
  put(join(folder, "SHA256SUMS"), sums.join(""));
  await run("tar", [
    ...["--create", "--file", out, "--use-compress-program", "gzip -4 -n"],
    ...[
      "--sort=name",
      "--owner=0",
      "--group=0",
      "--numeric-owner",
      `--mtime=@${process.env["SOURCE_DATE_EPOCH"]}`,
      "--directory",
      scratch,
      folderName(product),
    ],
  ]);
}
