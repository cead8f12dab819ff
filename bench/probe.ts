import { readFileSync } from "node:fs";
import { join } from "node:path";
import { makeSmallFiles } from "./files.ts";
import { memoryLine, startTributary } from "./tributary.ts";
const COUNT = Number(process.argv[2] ?? 10000);
const t = await startTributary();
const cpu = (pid: number) => { const f = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]!.split(" "); return [Number(f[11]) / 100, Number(f[12]) / 100]; };
for (let round = 0; round < 2; round++) {
  const prepared = join(t.site.dir, `prepared-${round}`);
  makeSmallFiles(prepared, COUNT, 4096);
  const a = cpu(t.running.pid), r = cpu(t.receiver.pid);
  const taken = await t.deliver(prepared, `small-${round}`, COUNT);
  console.log(round, taken, "agent u/s", cpu(t.running.pid).map((x, i) => (x - a[i]!).toFixed(2)).join("/"), "receiver u/s", cpu(t.receiver.pid).map((x, i) => (x - r[i]!).toFixed(2)).join("/"), (COUNT / taken.seconds).toFixed(0), "files/s");
}
console.log(memoryLine(t));
await t.stop();
