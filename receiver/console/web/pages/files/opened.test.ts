import { expect, test } from "vitest";
import { openedOf } from "./opened.ts";

const moments = ["2026-06-30", "2026-06-20", "2026-06-10"].map((day) => ({
  versionId: `v-${day}`,
  receivedAt: `${day}T06:00:00.000Z`,
}));
const asked = { version: "", at: "", more: true };

test.for([
  ["nothing said: the newest", asked, "v-2026-06-30", false],
  ["a version", { ...asked, version: "v-2026-06-10" }, "v-2026-06-10", false],
  [
    "a version wins over an instant",
    { ...asked, version: "v-2026-06-10", at: "2026-06-25T00:00:00Z" },
    "v-2026-06-10",
    false,
  ],
  ["an instant", { ...asked, at: "2026-06-25T00:00:00Z" }, "v-2026-06-20", false],
  ["a version further back is not the newest", { ...asked, version: "v-2020" }, undefined, true],
  ["an instant further back is not the newest", { ...asked, at: "2026-06-03T06:00:00Z" }, undefined, true],
  ["before all there was", { ...asked, at: "2026-06-03T06:00:00Z", more: false }, undefined, false],
  ["no instant", { ...asked, at: "yesterday" }, "v-2026-06-30", false],
] as const)("%s", ([, given, versionId, further]) => {
  expect(openedOf(moments, given)).toEqual({ versionId, further });
});
