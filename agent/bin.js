#!/usr/bin/env node
/** `tributary-agent` in a checkout. */
import { begin } from "@tributary/shared/start.js";

const STAYING = {
  flags: ["--max-semi-space-size=2", "--semi-space-growth-factor=1", "--max-old-space-size=1024"],
  env: { MALLOC_ARENA_MAX: "2" },
};

begin(process.argv[2] === "run" ? STAYING : undefined);
await import("./main.ts");
