/** What a workbook says of itself: its sheets, where its strings lie, and which of its formats are dates. */
import { type Moment, momentOfBuiltIn, momentOfCode } from "./dates.ts";
import { readXml } from "./xml.ts";
import type { Zip } from "./zip.ts";

export interface Workbook {
  readonly sheets: readonly { readonly name: string; readonly hidden: boolean; readonly part: string }[];
  readonly since1904: boolean;
  /** Part of the strings that cells share. */
  readonly strings: string | undefined;
  /** By the number in a cell's `s`. */
  readonly moments: readonly Moment[];
}

const MOST_SHEETS = 1_000;

interface Relation {
  readonly type: string;
  readonly part: string;
}

export async function readWorkbook(zip: Zip): Promise<Workbook> {
  const office = [...(await relationsOf(zip, "")).values()].find(({ type }) => type === "officeDocument");
  const main = office?.part ?? "xl/workbook.xml";
  const relations = await relationsOf(zip, main);
  const sheets: { name: string; hidden: boolean; part: string }[] = [];
  let since1904 = false;
  await readXml(textOf(zip, main), {
    open: (name, attributes) => {
      if (name === "workbookPr") since1904 = /^(1|true)$/.test(attributes["date1904"] ?? "");
      const id = Object.entries(attributes).find(([key]) => /(^|:)id$/.test(key))?.[1] ?? "";
      const relation = relations.get(id);
      if (name === "sheet" && relation?.type === "worksheet")
        sheets.push({
          name: attributes["name"] ?? "",
          hidden: attributes["state"] !== undefined && attributes["state"] !== "visible",
          part: relation.part,
        });
      return sheets.length >= MOST_SHEETS;
    },
  });
  const of = (type: string) => [...relations.values()].find((one) => one.type === type)?.part;
  return { sheets, since1904, strings: of("sharedStrings"), moments: await momentsOf(zip, of("styles")) };
}

/** The pieces of a part, found whatever the case of its name; none where there is no such part. */
export async function* textOf(zip: Zip, part: string): AsyncGenerator<string> {
  const found = zip.parts.get(part.toLowerCase());
  if (found !== undefined) yield* zip.text(found);
}

/** By their ids. Those that point out of the file are left out. */
async function relationsOf(zip: Zip, of: string): Promise<ReadonlyMap<string, Relation>> {
  const slash = of.lastIndexOf("/") + 1;
  const folder = of.slice(0, slash);
  const relations = new Map<string, Relation>();
  const part = `${folder}_rels/${of.slice(slash)}.rels`;
  if (!zip.parts.has(part.toLowerCase())) return relations;
  await readXml(textOf(zip, part), {
    open: (name, attributes) => {
      const { Id = "", Type = "", Target = "", TargetMode } = attributes;
      if (name === "Relationship" && TargetMode !== "External")
        relations.set(Id, { type: Type.slice(Type.lastIndexOf("/") + 1), part: resolved(folder, Target) });
      return relations.size >= 10_000;
    },
  });
  return relations;
}

function resolved(folder: string, target: string): string {
  const segments: string[] = [];
  for (const segment of (target.startsWith("/") ? target : `${folder}${target}`).split("/"))
    if (segment === "..") segments.pop();
    else if (segment !== "" && segment !== ".") segments.push(segment);
  return segments.join("/");
}

async function momentsOf(zip: Zip, part: string | undefined): Promise<readonly Moment[]> {
  const moments: Moment[] = [];
  if (part === undefined) return moments;
  const codes = new Map<number, Moment>();
  let cells = false;
  await readXml(textOf(zip, part), {
    open: (name, attributes) => {
      if (name === "numFmt")
        codes.set(Number(attributes["numFmtId"]), momentOfCode(attributes["formatCode"] ?? ""));
      if (name === "cellXfs") cells = true;
      if (name === "xf" && cells) {
        const id = Number(attributes["numFmtId"]);
        moments.push(codes.has(id) ? codes.get(id) : momentOfBuiltIn(id));
      }
      return moments.length >= 100_000;
    },
    close: (name) => name === "cellXfs",
  });
  return moments;
}
