import { describe, expect, test } from "vitest";
import { libraryAsset } from "../shared/packaged.ts";
import { bundle, compile } from "./bundle.ts";

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
