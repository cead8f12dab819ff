/** What a browser calls itself, in the few words that a person knows it by. */
import { t } from "../texts.ts";

const BROWSERS = [
  [/Edg(?:e|A|iOS)?\//, "Edge"],
  [/OPR\//, "Opera"],
  [/SamsungBrowser\//, "Samsung Internet"],
  [/(?:Firefox|FxiOS)\//, "Firefox"],
  [/(?:Chrome|CriOS)\//, "Chrome"],
  [/Safari\//, "Safari"],
] as const;

const SYSTEMS = [
  [/Windows/, "Windows"],
  [/iPhone/, "iPhone"],
  [/iPad/, "iPad"],
  [/Android/, "Android"],
  [/CrOS/, "ChromeOS"],
  [/Mac OS X|Macintosh/, "macOS"],
  [/Linux/, "Linux"],
] as const;

export function deviceOf(agent: string | null): string {
  if (agent === null || agent === "") return t.account.unknownDevice;
  const named = (table: readonly (readonly [RegExp, string])[]) =>
    table.find(([mark]) => mark.test(agent))?.[1];
  const [browser, system] = [named(BROWSERS), named(SYSTEMS)];
  if (browser !== undefined && system !== undefined) return t.account.browserOn(browser, system);
  return browser ?? system ?? agent.slice(0, 40);
}
