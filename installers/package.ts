/**
 * `npm run package`: all that is handed to others, in dist/.
 *
 *   npm run package -- [--version 1.2.3] [--out DIR] [PART…]     PART: only files whose name contains it
 */
import { parseArgs } from "node:util";
import { VERSION } from "../agent/version.ts";
import { makePackages } from "./make.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    version: { type: "string", default: VERSION },
    out: { type: "string", default: "dist" },
  },
});
try {
  await makePackages({ ...values, only: positionals, say: (line) => console.log(line) });
} catch (error) {
  console.error(`package: ${error instanceof Error ? error.message : error}`);
  process.exitCode = 1;
}
