/** The packaged receiver as the process that previews a file: it starts its thread, and that reads every format. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { PREVIEW_PROCESS } from "@tributary/shared/packaged.ts";
import { expect, inject, test } from "vitest";

const { dist } = inject("packages");
const FIXTURES = new URL("../../receiver/preview/fixtures/", import.meta.url);

interface Said {
  readonly kind: string;
  readonly start: number;
  readonly end: number;
}

test.for(["zstd.parquet", "snappy.parquet", "lz4.parquet", "xlsxwriter.xlsx", "made.py"])(
  "%s",
  async (name) => {
    const bytes = readFileSync(new URL(name, FIXTURES));
    const child = spawn(join(dist, "tributary-receiver-linux-x64"), [PREVIEW_PROCESS], {
      env: {},
      cwd: "/",
      stdio: ["ignore", "inherit", "inherit", "ipc"],
      serialization: "advanced",
    });
    try {
      const answer = new Promise((resolve, reject) => {
        child.on("message", (said: Said) => {
          if (said.kind === "read")
            child.send({ kind: "bytes", bytes: bytes.subarray(said.start, said.end) });
          else resolve(said);
        });
        child.on("exit", (code) => reject(new Error(`it ended with ${code}`)));
      });
      child.send({ kind: "order", order: { name, size: bytes.length, rows: 3, columns: 3 } });
      const kind = name === "made.py" ? "text" : "table";
      expect(await answer).toMatchObject({ kind: "answer", preview: { kind } });
      if (child.exitCode === null) expect(await once(child, "exit")).toEqual([0, null]);
    } finally {
      child.kill("SIGKILL");
    }
  },
);
