import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { beforeAll, describe, expect, test } from "vitest";
import { libraryAsset, PREVIEW_PROCESS } from "../shared/packaged.ts";
import { type Bundle, bundle, compile } from "./bundle.ts";

test("ssh2 asks the packaged program for its native crypto, and for no other library", async () => {
  const { text, inputs } = await compile({ file: "receiver/doors/sftp/library.ts" }, "1.2.3");
  expect(inputs).toContain("native:sshcrypto.node");
  expect(text).not.toMatch(/require\("[^"]*\.node"\)/);
});

describe("the agent", () => {
  const made = bundle("agent", "1.2.3", "4");
  const libraries = /node_modules\/(ssh2|basic-ftp|@aws-sdk|@smithy|@azure)\//;

  test("reads the libraries of kinds of sources from assets, and has none of them in what it begins with", async () => {
    const { text, texts } = await made;
    const kinds = ["azure-blob", "ftp", "s3", "sftp"];
    expect([...texts.keys()].filter((name) => name.startsWith("libraries/")).sort()).toEqual(
      kinds.map(libraryAsset),
    );
    expect(text).not.toMatch(libraries);
    for (const kind of kinds) expect(texts.get(libraryAsset(kind))).toMatch(libraries);
  });

  test("names them among its licences, and brings no native crypto of SSH", async () => {
    const { licences } = await made;
    for (const name of ["ssh2", "basic-ftp", "@aws-sdk/client-s3", "@azure/storage-blob"])
      expect(licences).toContain(`\n${name} `);
    expect(licences).not.toMatch(/^nan /m);
  });
});

describe("the receiver", () => {
  let made: Bundle;
  beforeAll(async () => {
    made = await bundle("receiver", "1.2.3", "4");
  }, 60_000);
  const formats = ["papaparse", "sax", "hyparquet", "hyparquet-compressors"];

  test("has the libraries of file formats in the text of the thread that reads them, and names their licences", async () => {
    const { texts, text, licences } = made;
    // Names that stand in each of them.
    const signs = ["Papa.parse=", "SAXParser(", "parquetMetadata(", "decompressLz4Raw("];
    const found = (program: string | undefined) => signs.filter((sign) => program?.includes(sign));
    expect(found(texts.get("preview-worker.js"))).toEqual(signs);
    expect(found(text)).toEqual([]);
    for (const name of formats) expect(licences).toContain(`\n${name} `);
  });

  test("has the console's pages, the login's library, and all migrations; and names their licences", async () => {
    const { texts, text, licences } = made;
    expect(texts.get("pages/index.html")).toMatch(/<script type="module"[^>]* src="\/assets\//);
    const named = [...(texts.get("pages/index.html")?.matchAll(/(?:src|href)="\/([^"]+)"/g) ?? [])];
    for (const [, name] of named) expect([...texts.keys()]).toContain(`pages/${name}`);
    for (const name of ["react", "react-dom", "@mantine/core", "@tanstack/react-query", "wouter"])
      expect(licences).toContain(`\n${name} `);
    for (const name of ["better-auth", "@better-auth/passkey"]) expect(licences).toContain(`\n${name} `);
    expect(text).toContain("/sign-in/email");
    for (const dialect of ["sqlite", "postgres"])
      expect([...texts.keys()].filter((name) => name.startsWith(`ledger/${dialect}/`))).toEqual(
        readdirSync(join(import.meta.dirname, `../receiver/ledger/migrations/${dialect}`)).map(
          (name) => `ledger/${dialect}/${name}`,
        ),
      );
  });

  test("reads a file in that thread, as it is packaged", async () => {
    const thread = new Worker(made.texts.get("preview-worker.js") ?? "", { eval: true, env: {} });
    const said = (message: unknown) => {
      thread.postMessage(message);
      return once(thread, "message");
    };
    try {
      const bytes = readFileSync(new URL("../receiver/preview/fixtures/snappy.parquet", import.meta.url));
      let [answer] = await said({
        kind: "order",
        order: { name: "a.parquet", size: bytes.length, rows: 1, columns: 2 },
      });
      while (answer.kind === "read")
        [answer] = await said({ kind: "bytes", bytes: bytes.subarray(answer.start, answer.end) });
      expect(answer).toMatchObject({ kind: "answer", preview: { kind: "table", rows: [["1", "0.10"]] } });
    } finally {
      await thread.terminate();
    }
  });

  test("is the process that previews when it is called so", async () => {
    const folder = mkdtempSync(join(tmpdir(), "bundle-"));
    const file = join(folder, "main.cjs");
    // The only thing that is not in the bundle: where a packaged program has its texts.
    const sea = `const { texts } = require("./texts.json"); const sea = require("node:sea");
      sea.isSea = () => true; sea.getAsset = (name) => texts[name];`;
    const { text, texts } = made;
    writeFileSync(join(folder, "texts.json"), JSON.stringify({ texts: Object.fromEntries(texts) }));
    writeFileSync(file, `${sea}\n${text}`);
    const child = spawn(process.execPath, [file, PREVIEW_PROCESS], {
      env: {},
      stdio: ["ignore", "ignore", "inherit", "ipc"],
      serialization: "advanced",
    });
    try {
      const bytes = Buffer.from("a;b\n1,5;2\n");
      child.on("message", (message: { kind: string }) => {
        if (message.kind === "read") child.send({ kind: "bytes", bytes });
      });
      const answer = new Promise((resolve) => {
        child.on("message", (message: { kind: string }) => {
          if (message.kind === "answer") resolve(message);
        });
      });
      child.send({ kind: "order", order: { name: "a.csv", size: bytes.length, rows: 1, columns: 2 } });
      expect(await answer).toMatchObject({ preview: { format: "csv", rows: [["1,5", "2"]] } });
      await once(child, "exit");
    } finally {
      child.kill("SIGKILL");
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
