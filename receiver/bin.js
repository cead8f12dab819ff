#!/usr/bin/env node
/** `tributary-receiver` in a checkout. */
import { begin } from "@tributary/shared/start.js";

const STAYING = {
  flags: ["--max-semi-space-size=4", "--semi-space-growth-factor=1", "--max-old-space-size=1024"],
  // Waiting for the disk takes threads, not processors.
  env: { MALLOC_ARENA_MAX: "2", UV_THREADPOOL_SIZE: "16" },
};

begin(process.argv[2] === "serve" ? STAYING : undefined);
await import("./main.ts");
