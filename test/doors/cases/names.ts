/** Names are bytes: whatever can be a path inside a source is delivered as it is, the rest is refused by one name. */
import { encodePath } from "@tributary/shared/path.ts";
import { expect } from "vitest";
import type { Case } from "../conformance.ts";
import { codeOf, type Outcome, type Sending } from "../door.ts";
import { sha256 } from "../scene.ts";

/** Paths as they are sent, in latin1 where they are no UTF-8, and the identity that they have in the ledger. */
const ODD: readonly (readonly [path: string | Buffer, pathEncoded: string])[] = [
  ["with space", "with%20space"],
  [" leading", "%20leading"],
  ["trailing ", "trailing%20"],
  ["100%", "100%25"],
  ["%41", "%2541"],
  ["client=evil", "client%3Devil"],
  ["a+b", "a%2Bb"],
  ["back\\slash", "back%5Cslash"],
  ["new\nline", "new%0Aline"],
  ["return\r", "return%0D"],
  ["\u0001\u001b[2J\u007f", "%01%1B%5B2J%7F"],
  ["question?#&;", "question%3F%23%26%3B"],
  ["quotes'\"*<>|", "quotes%27%22%2A%3C%3E%7C"],
  ["colon:name", "colon%3Aname"],
  ["C:x", "C%3Ax"],
  [Buffer.from("fffe2e63", "hex"), "%FF%FE.c"],
  [Buffer.from("eda080", "hex"), "%ED%A0%80"],
  [Buffer.from("61c3", "hex"), "a%C3"],
  ["\u00e9", "\u00e9"],
  ["e\u0301", "e\u0301"],
  ["Case", "Case"],
  ["case", "case"],
  ["CON.txt", "CON.txt"],
  ["nul", "nul"],
  ["trailing.", "trailing."],
  ["-rf", "-rf"],
  ["~", "~"],
  ["\u202egnp.exe", "\u202egnp.exe"],
  ["emoji \u{1f3de}\ufe0f", "emoji%20\u{1f3de}\ufe0f"],
  ["x".repeat(255), "x".repeat(255)],
  [Buffer.alloc(255, 0xff), "%FF".repeat(255)],
  [
    Buffer.from(`${"\xff".repeat(250)}/`.repeat(15) + "deep", "latin1"),
    `${"%FF".repeat(250)}/`.repeat(15) + "deep",
  ],
];

/** Names that a door may have other uses for. */
const DOTTED = ["...", "..hidden", ".hidden"];

const REFUSED: Readonly<Record<string, Buffer>> = {
  "the source itself": Buffer.alloc(0),
  "..": Buffer.from(".."),
  "../ at its beginning": Buffer.from("../outside"),
  "/../": Buffer.from("refused/../outside"),
  ".. behind a backslash": Buffer.from("refused\\..\\outside"),
  "a lone .": Buffer.from("."),
  "/./": Buffer.from("refused/./here"),
  "an absolute path": Buffer.from("/etc/refused"),
  "an empty segment": Buffer.from("refused//empty"),
  "a slash at its end": Buffer.from("refused/"),
  "a NUL": Buffer.from("refused\0nul"),
  "a drive letter": Buffer.from("C:/refused"),
  "a drive letter before a backslash": Buffer.from("c:\\refused"),
  "4,097 bytes": Buffer.alloc(4097, "x"),
  "4,097 bytes that are all escaped": Buffer.alloc(4097, 0xff),
};

/** As many bytes as a path may have, none of which stands for itself. */
const LONGEST = Buffer.alloc(4096, 0xff);

export const names: readonly Case[] = [
  {
    name: `names: ${ODD.length} odd ones, each as it is`,
    run: async (scene) => {
      const files = ODD.map(([path]) => ({
        path: Buffer.from(path as string),
        bytes: Buffer.from(path as string),
      }));
      await scene.bringAll(files);
      for (const [i, [, pathEncoded]] of ODD.entries()) {
        const { path, bytes } = files[i] as (typeof files)[number];
        expect(encodePath(path)).toBe(pathEncoded);
        const entries = await scene.entries(path);
        expect(entries.map((entry) => [entry.pathEncoded, entry.sha256])).toEqual([
          [pathEncoded, sha256(bytes)],
        ]);
      }
    },
  },
  ...DOTTED.map(
    (name): Case => ({
      name: `names: ${name}, as it is`,
      notAt: (door) => door.unspeakable(Buffer.from(name)),
      run: async (scene) => {
        await scene.bring({ path: Buffer.from(name), bytes: Buffer.from(name) });
        expect(await scene.entries(Buffer.from(name))).toMatchObject([{ pathEncoded: name }]);
      },
    }),
  ),
  {
    name: "names: the longest there can be",
    notAt: (door) => door.unspeakable(LONGEST),
    run: async (scene) => {
      await scene.bring({ path: LONGEST, bytes: Buffer.from("long") });
      expect(await scene.entries(LONGEST)).toMatchObject([{ pathEncoded: "%FF".repeat(4096), size: 4 }]);
    },
  },
  {
    name: "names: one that is refused keeps none of the others back",
    run: async (scene) => {
      const [first, refused, last] = ["among/first", "among\\..\\refused", "among/last"].map(
        (name): Sending => ({ path: Buffer.from(name), bytes: Buffer.from(name) }),
      ) as [Sending, Sending, Sending];
      const sender = await scene.sender();
      const outcomes = await sender.send([first, refused, last]);
      const code = codeOf(scene.door, "a name that is no path inside a source");
      expect(outcomes[1]).toMatchObject({ kind: "problem", code });
      await scene.delivered(first, outcomes[0] as Outcome, sender);
      await scene.delivered(last, outcomes[2] as Outcome, sender);
    },
  },
  ...Object.entries(REFUSED).map(
    ([name, path]): Case => ({
      name: `names: ${name} is refused`,
      notAt: (door) => door.unspeakable(path),
      run: async (scene) => {
        const before = await scene.entries();
        const file = { path, bytes: Buffer.from("not to be stored") };
        await scene.refused("a name that is no path inside a source", file);
        expect(await scene.entries()).toEqual(before);
      },
    }),
  ),
];
