import { describe } from "vitest";
import { countsContract } from "./counts.contract.ts";
import { memoryCounts } from "./memory.ts";

describe("counts in memory", () => countsContract(async () => memoryCounts()));
