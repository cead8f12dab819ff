/** The line of `agent invite --install linux` with the real package, pasted on a host that has nothing of ours. */
import { join } from "node:path";
import { afterAll, beforeAll, expect, inject, onTestFailed, test } from "vitest";
import { type Client, startClient } from "./client.ts";

const { dist, version, tree } = inject("packages");
const DEB = `tributary-agent_${version}_amd64.deb`;
const FOLDER = "/usr/share/tributary-receiver/install";

let client: Client;

beforeAll(async () => {
  client = await startClient(tree, join(dist, `tributary-receiver_${version}_amd64.deb`), [join(dist, DEB)]);
  await client.box.ok(
    `install -d ${FOLDER}; cp ${DEB} ${FOLDER}; mkdir /srv/exports; echo a,b > /srv/exports/a.csv`,
  );
});

afterAll(async () => await client?.stop());

const line = async (): Promise<string> =>
  (await client.box.ok("tributary-receiver agent invite --client acme --install linux")).trim();

test("a package that is not the one of the invitation is not installed, and nothing of it runs", async () => {
  const { box } = client;
  const made = await line();
  await box.ok(`printf x >> ${FOLDER}/${DEB}`);
  const said = await box.run(`${made} --folder /srv/exports`);
  expect(said.code).not.toBe(0);
  expect(said.err).toMatch(/is not what this line was made for/);
  expect((await box.run("dpkg -s tributary-agent")).code).not.toBe(0);
  await box.ok(`cp ${DEB} ${FOLDER}`);
});

test("pasted, it installs the package, enrols the host, and the folder's file is at the receiver", async () => {
  const { box } = client;
  const made = await line();
  expect(made).not.toContain("\n");
  expect(made.length).toBeLessThan(1_000);
  const said = await box.run(`${made} --folder /srv/exports`);
  onTestFailed(() => console.error(said.out, said.err));
  expect(said.code).toBe(0);
  expect(said.out).toMatch(/^ok {4}service: it runs as tributary-agent/m);
  await client.delivered("a.csv");
  expect(await box.ok("ls /tmp")).not.toContain("tmp.");
});
