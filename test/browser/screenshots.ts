/**
 * `npm run screenshots`: every page of the console, light and dark, wide and narrow, empty, normal, in trouble and with a
 * long history, into `screenshots/` with an index.html that shows them side by side. All that it starts it ends.
 */
import { execFile } from "node:child_process";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { buildPages } from "../../installers/pages.ts";
import { ROOT } from "../site/process.ts";
import { makeSite } from "../site/site.ts";
import { openScene, type Scene } from "./scene.ts";
import { openScenery, placesOf } from "./scenery.ts";

const OUT = join(ROOT, "screenshots");
const WIDTHS = { wide: { width: 1440, height: 900 }, narrow: { width: 390, height: 844 } } as const;
const COLOURS = ["light", "dark"] as const;
const STATES = ["empty", "normal", "trouble", "long"] as const;
type State = (typeof STATES)[number];
type Places = readonly (readonly [string, string])[];

/** State -> names of the pages that were looked at. */
const taken = new Map<State, readonly string[]>();

async function take(state: State, scene: Scene, places: Places): Promise<void> {
  const { page, faults } = await scene.as("admin", { reducedMotion: "reduce" });
  mkdirSync(join(OUT, state), { recursive: true });
  for (const [name, path] of places) {
    await page.setViewportSize(WIDTHS.wide);
    await page.goto(path);
    await page.getByRole("heading", { level: 1 }).first().waitFor();
    await page
      .getByLabel("Loading")
      .first()
      .waitFor({ state: "hidden" })
      .catch(() => {});
    for (const [width, viewport] of Object.entries(WIDTHS)) {
      await page.setViewportSize(viewport);
      for (const colorScheme of COLOURS) {
        await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
        await page.locator(`html[data-mantine-color-scheme=${colorScheme}]`).waitFor();
        // Charts are drawn anew for another width.
        await page.waitForTimeout(200);
        const file = join(OUT, state, `${name}-${width}-${colorScheme}.png`);
        await page.screenshot({ path: file, fullPage: true });
      }
    }
  }
  taken.set(
    state,
    places.map(([name]) => name),
  );
  console.log(`${state}: ${places.length} pages${faults.length > 0 ? `\n${faults.join("\n")}` : ""}`);
}

function writeIndex(): void {
  const rows = [...taken].flatMap(([state, names]) =>
    names.map((name) => {
      const pictures = Object.keys(WIDTHS).flatMap((width) =>
        COLOURS.map((colour) => {
          const file = `${state}/${name}-${width}-${colour}.png`;
          return `<a href="${file}"><img loading="lazy" src="${file}" alt="${name}, ${state}, ${width}, ${colour}"></a>`;
        }),
      );
      return `<h2>${name}, ${state}</h2><p>${pictures.join("\n")}</p>`;
    }),
  );
  const style = "body{font:14px sans-serif;background:#888}img{height:420px;margin:4px;vertical-align:top}";
  const text = `<!doctype html><meta charset="utf-8"><title>Tributary's console</title><style>${style}</style>\n${rows.join("\n")}\n`;
  writeFileSync(join(OUT, "index.html"), text);
}

/** 90 days of many clients: the generator of the bench fills a ledger before the receiver is started. */
async function openHistory(): Promise<Scene> {
  const prepared = await makeSite({ console: true });
  mkdirSync(join(prepared.dir, "receiver"), { recursive: true });
  const address = join(prepared.dir, "receiver", "ledger.sqlite");
  const generator = join(ROOT, "bench/console-data.ts");
  await promisify(execFile)(process.execPath, [generator, "sqlite", address, "20000"]);
  // Its versions have no bytes: the lake is said to be another's.
  mkdirSync(join(prepared.dir, "receiver", "lake"));
  writeFileSync(join(prepared.dir, "receiver", "lake", ".tributary.json"), "{}");
  return await openScene({}, prepared);
}

rmSync(OUT, { recursive: true, force: true });
await buildPages((line) => console.log(line));

const nobody = await openScene();
try {
  const places = placesOf({ agentId: "none" }).filter(([, path]) => !/acme|none/.test(path));
  await take("empty", nobody, places);
  const { page } = await nobody.window();
  await page.goto("/sign-in");
  await page.getByRole("heading", { level: 1 }).waitFor();
  await page.screenshot({ path: join(OUT, "empty", "sign-in.png") });
} finally {
  await nobody.end();
}

const scenery = await openScenery();
try {
  await take("normal", scenery.scene, placesOf(scenery));
  await scenery.trouble();
  await take("trouble", scenery.scene, placesOf(scenery));
} finally {
  await scenery.end();
}

const history = await openHistory();
try {
  const [client] = (await history.site.command("client", "list", "--json"))
    .split("\n")
    .map((line) => (JSON.parse(line) as { readonly name: string }).name);
  const [agent] = (await history.site.command("agent", "list", "--json"))
    .split("\n")
    .map((line) => (JSON.parse(line) as { readonly id: string }).id);
  const places = placesOf({ agentId: agent as string }).map(
    ([name, path]) => [name, path.replace("acme", client as string)] as const,
  );
  await take("long", history, places);
} finally {
  await history.end();
}
writeIndex();
console.log(`look at ${join(OUT, "index.html")}`);
