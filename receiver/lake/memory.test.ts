import { lakeContract } from "./lake.contract.ts";
import { memoryLake } from "./memory.ts";
import { unfinishedContract } from "./unfinished.contract.ts";

const fresh = async () => {
  const lake = memoryLake();
  return { lake, leftovers: async () => lake.staged() };
};

lakeContract("memory", fresh);
unfinishedContract("memory", fresh);
