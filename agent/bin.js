#!/usr/bin/env node
/** `tributary-agent` in a checkout. */
import { begin } from "@tributary/shared/start.js";
import { STAYING } from "./staying.js";

begin(process.argv[2] === "run" ? STAYING : undefined);
const { main } = await import("./main.ts");
await main();
