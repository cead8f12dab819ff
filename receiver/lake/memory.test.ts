import { lakeContract } from "./lake.contract.ts";
import { memoryLake } from "./memory.ts";

lakeContract("memory", async () => {
  const lake = memoryLake();
  return { lake, leftovers: async () => lake.staged() };
});
