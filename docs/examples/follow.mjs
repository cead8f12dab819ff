#!/usr/bin/env node
// follow.mjs PLACE: prints what arrives as it arrives, a line of JSON each, and keeps its place
// in the file PLACE. Stays until it is stopped. Needs a key with the scope read.
// Node 20 or newer, nothing else.
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { setTimeout } from "node:timers/promises";

const { TRIBUTARY_URL, TRIBUTARY_KEY } = process.env;
const place = process.argv[2];
const headers = { Authorization: `Bearer ${TRIBUTARY_KEY}`, Accept: "text/event-stream" };
if (existsSync(place)) headers["Last-Event-ID"] = readFileSync(place, "utf8");
for (;;) {
  let wait = 5;
  try {
    const answer = await fetch(`${TRIBUTARY_URL}/v1/events`, { headers });
    wait = Math.max(wait, Number(answer.headers.get("Retry-After"))); // never come before
    if (answer.status === 410)
      delete headers["Last-Event-ID"]; // the ledger was rebuilt: from the beginning
    else if (!answer.ok) throw new Error(await answer.text());
    let text = "";
    for await (const piece of answer.body.pipeThrough(new TextDecoderStream())) {
      const events = (text + piece).split("\n\n");
      text = events.pop();
      for (const event of events) {
        const [, id, data] = /^id: (.*)\nevent: .*\ndata: (.*)$/.exec(event) ?? [];
        if (id === undefined) continue; // a comment, which keeps the connection alive
        console.log(data);
        headers["Last-Event-ID"] = id;
        writeFileSync(place, id); // only now: what was not handled comes again
      }
    }
  } catch (error) {
    console.error(String(error));
  }
  await setTimeout(wait * 1000);
}
