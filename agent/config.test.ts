import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseSettings } from "@tributary/shared/settings.ts";
import { expect, test } from "vitest";
import { agentSettings, isNear, loadAgentSettings } from "./config.ts";
import { daysOf } from "./pace/bandwidth.ts";

const windowOn = (days: string) =>
  `limits:\n  schedule:\n    - { from: 08:00, to: 18:00, bandwidth: 1MB/s, days: ${JSON.stringify(days)} }\n`;

test.for(["mon-fry", "monday", "", "mon-", "mon;tue", "mon,", "1-5"])(
  "days %j are refused with their line",
  (days) => {
    expect(() => parseSettings(windowOn(days), "f", agentSettings)).toThrow(
      /^f:3:\d+: limits.schedule.0.days: expected days out of mon, .*"mon-fri"/,
    );
  },
);

test.for([
  ["mon-fri", 5],
  ["Sat, SUN", 2],
  ["fri - mon", 4],
  ["mon-tue,thu", 3],
] as const)("days %j are taken, all of them", ([days, count]) => {
  parseSettings(windowOn(days), "f", agentSettings);
  expect(daysOf(days).size).toBe(count);
});

test.for([
  ["rescan: 0s", "expected 1s or more"],
  ["rescan: 999ms", "expected 1s or more"],
  ["rescan: soon", "expected a duration such as 2s, 5m or 7d"],
  ["rehash: 1s", "expected 1m or more"],
] as const)("%s is refused with its line, once", ([line, expected]) => {
  const text = `sources:\n  - name: a\n    path: /a\n    ${line}\n`;
  const key = line.split(":", 1)[0];
  expect(() => parseSettings(text, "f", agentSettings)).toThrow(
    new RegExp(`^f:4:5: sources.0.${key}: ${expected}[^\\n]*$`),
  );
});

test("relative paths begin at the folder of agent.yaml, whatever the working folder is", () => {
  const dir = mkdtempSync(join(tmpdir(), "tributary-config-"));
  const file = join(dir, "agent.yaml");
  writeFileSync(
    file,
    "sources: [{ name: a, path: files }, { name: b, path: /srv/b }]\ntls: { ca: ../company.pem }\n",
  );
  const { sources, tls } = loadAgentSettings(file);
  expect(sources.map((source) => isNear(source) && source.path)).toEqual([join(dir, "files"), "/srv/b"]);
  expect(tls.ca).toBe(join(tmpdir(), "company.pem"));
  rmSync(dir, { recursive: true });
});
