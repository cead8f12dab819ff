/** The files of a package, laid out as they will lie on the host. */
import { chmodSync, copyFileSync, mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { LinuxProduct } from "./product.ts";

/** Makes the tree below `root`. Everything is root's and readable for all; modes do not depend on who packs. */
export function layOut(root: string, product: LinuxProduct): void {
  const { name } = product;
  const program = join(root, "usr/bin", name);
  mkdirSync(dirname(program), { recursive: true });
  copyFileSync(product.executable, program);
  chmodSync(program, 0o755);
  put(join(root, `usr/lib/systemd/system/${name}.service`), product.unit);
  for (const [file, text] of product.docs) put(join(root, "usr/share/doc", name, file), text);
}

export function put(file: string, text: string, mode = 0o644): void {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
  chmodSync(file, mode);
}
