/** Where a receiver keeps its data when nobody says: in the checkout while developing, the system's place when installed. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export function defaultData(moduleUrl: string | undefined = import.meta.url): string {
  if (moduleUrl?.startsWith("file:")) {
    const root = fileURLToPath(new URL("..", moduleUrl));
    if (existsSync(join(root, "receiver", "main.ts"))) return join(root, ".tributary", "receiver");
  }
  if (process.platform === "win32")
    return join(process.env["ProgramData"] ?? "C:\\ProgramData", "Tributary", "receiver");
  return "/var/lib/tributary/receiver";
}
