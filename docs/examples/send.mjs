#!/usr/bin/env node
// send.mjs FILE SOURCE/PATH: sends one file, prints the answer with its receipt.
// Node 20 or newer, nothing else.
import { createHash, randomUUID } from "node:crypto";
import { createReadStream } from "node:fs";
import { pipeline } from "node:stream/promises";
import { setTimeout } from "node:timers/promises";

const [file, to] = process.argv.slice(2);
const { TRIBUTARY_URL, TRIBUTARY_KEY } = process.env;
const url = `${TRIBUTARY_URL}/v1/files/${to.split("/").map(encodeURIComponent).join("/")}`;
const digest = createHash("sha256");
await pipeline(createReadStream(file), digest);
const headers = {
  Authorization: `Bearer ${TRIBUTARY_KEY}`,
  "Idempotency-Key": randomUUID(), // the same for every retry: nothing arrives twice
  "Repr-Digest": `sha-256=:${digest.digest("base64")}:`,
};
for (const wait of [1, 5, 15, 60, undefined]) {
  const body = createReadStream(file);
  const answer = await fetch(url, { method: "PUT", headers, body, duplex: "half" }).catch((error) => error);
  if (answer.ok) {
    console.log(await answer.text());
    break;
  }
  const again = !(answer.status < 500) || [408, 429].includes(answer.status);
  const after = Number(answer.headers?.get("Retry-After") ?? 0); // never come before
  if (wait === undefined || !again || after > 300) {
    console.error(answer instanceof Response ? await answer.text() : answer);
    process.exit(1);
  }
  await setTimeout(Math.max(wait, after) * 1000);
}
