/**
 * `npm run package`: all that is handed to others, in dist/.
 *
 *   npm run package -- [--version 1.2.3] [--out DIR] [NAME…]     NAME: only files whose name contains it
 */
import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { VERSION as AGENT_VERSION } from "../agent/version.ts";
import { makePackages } from "./make.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { version: { type: "string" }, out: { type: "string", default: "dist" }, only: { type: "string", multiple: true } },
});
void readFileSync;
await makePackages({ version: values.version ?? AGENT_VERSION, out: values.out, only: positionals });
