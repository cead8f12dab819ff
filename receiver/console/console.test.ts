import { expect, test } from "vitest";
import { startConsole } from "./scene.ts";

test("probe", async () => {
  const scene = await startConsole({ secondFactor: "required" });
  await scene.add("ada@example.com", { role: "admin" });
  const ada = await scene.login("ada@example.com", { secondFactor: true });
  const me = await ada.ask("GET", "/api/me");
  console.log(me.status, me.headers, me.body.toString());
  const page = await ada.ask("GET", "/clients");
  console.log(page.status, page.headers, page.body.toString());
  const tables = await scene.db.introspection.getTables();
  console.log(tables.map((t) => t.name).join(" "));
  expect(me.status).toBe(200);
  await scene.stop();
});
