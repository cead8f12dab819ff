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

const source = (yaml: string) => {
  const dir = mkdtempSync(join(tmpdir(), "tributary-config-"));
  const file = join(dir, "agent.yaml");
  writeFileSync(file, `sources:\n  - ${yaml.trim().replaceAll("\n", "\n    ")}\n`);
  try {
    return loadAgentSettings(file).sources[0];
  } catch (error) {
    return (error as Error).message.replaceAll(file, "f");
  } finally {
    rmSync(dir, { recursive: true });
  }
};

test("a source of each kind", () => {
  expect(source("name: a\nkind: share\npath: /mnt/erp\nevery: 1m")).toMatchObject({
    kind: "share",
    settle: 10_000,
  });
  expect(
    source(
      "name: a\nkind: sftp\nhost: h\nuser: u\npassword: { secret: erp }\ncron: '30 2 * * *'\ntimeZone: Europe/Berlin",
    ),
  ).toMatchObject({ kind: "sftp", port: 22, settle: 2_000 });
  expect(source("name: a\nkind: ftp\nhost: h\nca: company.pem")).toMatchObject({
    kind: "ftp",
    ca: expect.stringMatching(/^\/.*company\.pem$/),
  });
  expect(
    source("name: a\nkind: s3\nbucket: b\naccessKeyId: id\nsecretAccessKey: { env: KEY }"),
  ).toMatchObject({
    kind: "s3",
  });
  expect(
    source("name: a\nkind: azure-blob\naccount: acc\ncontainer: exports\nsas: { file: sas }"),
  ).toMatchObject({
    kind: "azure-blob",
  });
});

test.for([
  ["name: a\nkind: gopher", /^f:3:5: sources.0.kind: expected .*folder, share, sftp, ftp, s3 or azure-blob$/],
  ["name: a\nkind: sftp\nhost: h\nuser: u\npassword: hunter2", /secret set NAME/],
  ["name: a\nkind: share\npath: /x\nevery: 1m\ncron: '* * * * *'", /^f:6:5: sources.0.cron: beside `every`/],
  ["name: a\nkind: share\npath: /x\ncron: '61 * * * *'", /^f:5:5: sources.0.cron: expected five fields/],
  ["name: a\nkind: share\npath: /x\ncron: '0 0 30 2 *'", /^f:5:5: sources.0.cron: there is no such time/],
  ["name: a\nkind: share\npath: /x\ntimeZone: Europe/Berlin", /^f:5:5: sources.0.timeZone: without `cron`/],
  [
    "name: a\nkind: share\npath: /x\ncron: '* * * * *'\ntimeZone: Berlin",
    /^f:6:5: sources.0.timeZone: expected the name/,
  ],
  ["name: a\npath: /x\nafter: move:/x/.", /^f:4:5: sources.0.after: files would be moved to where they are/],
  [
    "name: a\nkind: s3\nbucket: b-b\nprefix: pos\nregion: eu-west-1\nafter: move:/pos",
    /^f:7:5: sources.0.after: files would be moved to where they are/,
  ],
  ["name: a\npath: /x\nevery: 1m", /^f:4:5: unknown key "every"; expected one of .*rescan/],
  ["name: a\nkind: sftp\nuser: u\npassword: { secret: x }", /^f:2:5: sources.0.host: is missing/],
] as const)("%s: refused with its line", ([yaml, words]) => {
  const said = source(yaml);
  expect(said).toMatch(words);
  expect(said).not.toContain("hunter2");
});
