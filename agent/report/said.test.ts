/** Whatever the agent says of what happened, and wherever: of a secret nothing is in it. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Redactor } from "@tributary/shared/redactor.ts";
import fc from "fast-check";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { Fact } from "../facts.ts";
import { seenOf, version } from "../queue/queue.contract.ts";
import { openQueue } from "../queue/sqlite.ts";
import { liveWriter } from "./live.ts";
import { logTo } from "./log.ts";
import { EMPTY_TALLY, tallied } from "./tally.ts";

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "tributary-said-"));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const secret = fc
  .string({ unit: "grapheme", minLength: 8, maxLength: 60 })
  .filter((text) => text.trim().length >= 8);

/** Facts with the secret in each of their texts. */
function factsOf(text: string): Fact[] {
  const file = { source: "bank", path: Buffer.from(`in/${text}`), captureId: "c" };
  return [
    { kind: "SourceHealthChanged", source: "bank", healthy: false, reason: `login with ${text} failed` },
    { kind: "FileHeldBack", ...file, code: "file-unreadable", detail: `GET https://h/?key=${text}` },
    { kind: "ReceiverLost", code: "receiver-unreachable", detail: text },
    { kind: "FaultFound", where: text, detail: `Error: ${JSON.stringify({ password: text })}\n    at x` },
    { kind: "ConfigurationTaken", sources: ["bank", text] },
    { kind: "ConfigurationRefused", detail: `${text}: refused` },
    { kind: "AfterActionSkipped", ...file, action: "delete", reason: text },
  ];
}

test.for([true, false])("in no line of the log (on a terminal: %s)", (terminal) => {
  fc.assert(
    fc.property(secret, (text) => {
      const redactor = new Redactor();
      redactor.learn(text);
      let written = "";
      const log = logTo({ write: (line) => (written += line) }, terminal, "debug", redactor.redact);
      for (const fact of factsOf(text)) log.report(fact);
      log.say(`the heartbeat was refused: ${text}`);
      // Its place in the line's JSON is found too, and every line is still one.
      expect(written.split("\n").filter((line) => line.includes("[secret]"))).toHaveLength(8);
      if (terminal) expect(written).not.toContain(text);
      else
        for (const line of written.trimEnd().split("\n"))
          expect(textsOf(JSON.parse(line))).not.toContain(text);
    }),
    { numRuns: 200 },
  );
});

/** All texts in a value, one below the other. */
const textsOf = (value: unknown): string =>
  typeof value === "object" && value !== null ? Object.values(value).map(textsOf).join("\n") : String(value);

test("in no file of the data folder: live.json, and the queue's words of problems", () => {
  const text = "correct-horse battery/staple";
  const redactor = new Redactor();
  redactor.learn(text);
  const tally = factsOf(text).reduce((so, fact) => tallied(so, fact, new Date()), EMPTY_TALLY);
  liveWriter(
    dir,
    redactor.redact,
  )({
    ...{
      pid: 1,
      startedAt: "",
      trouble: tally.trouble,
      refused: tally.refused,
      skewMs: 0,
      delivered: 0,
      bytes: 0,
    },
    held: [{ client: "acme", source: null, code: "busy", detail: text, since: 0, until: 0 }],
    sources: [],
    slowed: [{ client: "acme", detail: text, since: 0, atOnce: 1 }],
  });
  expect(readFileSync(join(dir, "live.json"), "utf8").match(/\[secret\]/g)).toHaveLength(4);
  const queue = openQueue(join(dir, "queue.sqlite"), { words: redactor.redact });
  const book = queue.book("acme", "bank");
  expect(book.problem(Buffer.from("a"), "file-unreadable", `login with ${text} failed`, 1)).toBe(true);
  expect(book.problem(Buffer.from("a"), "file-unreadable", `login with ${text} failed`, 2)).toBe(false);
  expect(queue.status.problems(9)).toMatchObject([{ detail: "login with [secret] failed" }]);
  const [late, refused] = [version("late"), version("refused")];
  queue.intake("acme", "pos").put([late, refused].map((parcel) => ({ parcel, seen: seenOf(parcel) })));
  const problem = { code: "busy", detail: text } as const;
  queue.outbox.postpone([{ captureId: late.captureId, until: 9, problem }]);
  queue.outbox.end(refused.captureId, { kind: "aside", code: "quota-file", detail: text, at: 9 });
  expect(queue.status.problems(9).map(({ detail }) => detail)).toHaveLength(3);
  for (const name of readdirSync(dir)) expect(readFileSync(join(dir, name)).includes(text)).toBe(false);
  queue.close();
  for (const name of readdirSync(dir)) expect(readFileSync(join(dir, name)).includes(text)).toBe(false);
});
