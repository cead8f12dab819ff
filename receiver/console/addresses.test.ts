/** What leads into the console from outside: the links of the alert rules. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { parse } from "yaml";

const ROOT = join(import.meta.dirname, "../..");
const read = (path: string): string => readFileSync(join(ROOT, path), "utf8");

interface Rules {
  readonly groups: readonly {
    readonly rules: readonly { readonly alert: string; readonly annotations: { readonly console: string } }[];
  }[];
}

const links = (parse(read("docs/monitoring/tributary-alerts.yml")) as Rules).groups
  .flatMap(({ rules }) => rules)
  .map(({ alert, annotations }): [string, string] => [
    alert,
    annotations.console.replace(/^\{\{ \$externalLabels\.tributary_console \}\}/, ""),
  ]);

/** Of the pages, as `app.tsx` has them. */
const routes = [...read("receiver/console/web/app.tsx").matchAll(/<Route path="([^"]+)"/g)].map(
  ([, path]) =>
    new RegExp(`^${(path as string).replaceAll(/\/:\w+\?/g, "(?:/[^/]+)?").replaceAll(/:\w+/g, "[^/]+")}$`),
);
const pageOf = (path: string): string =>
  path === "/settings/site"
    ? read("receiver/console/web/pages/settings/refusals.tsx")
    : [`${path}.tsx`, `${path}/list.tsx`]
        .map((file) => {
          try {
            return read(`receiver/console/web/pages${file}`);
          } catch {
            return "";
          }
        })
        .join("");

test.for(links)("%s leads to a page that there is, and to a filter that it knows", ([, link]) => {
  const { pathname, searchParams } = new URL(link.replaceAll(/\{\{.*?\}\}/g, "x"), "https://console.test");
  expect(routes.filter((route) => route.test(pathname))).not.toEqual([]);
  for (const name of searchParams.keys()) expect(pageOf(pathname)).toMatch(new RegExp(`get\\("${name}"\\)`));
  const only = searchParams.get("only");
  if (only !== null)
    expect(read("receiver/console/web/texts.ts")).toMatch(new RegExp(`only: \\{[^}]*\\b${only}:`));
});
