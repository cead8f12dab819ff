#!/usr/bin/env node
/** `tributary-receiver` in a checkout. */
import { begin } from "@tributary/shared/start.js";
import { STAYING } from "./staying.js";

begin(process.argv[2] === "serve" ? STAYING : undefined);
const { main } = await import("./main.ts");
await main();
