import { defineConfig } from "vitest/config";

/** What is waited for may take its time on a busy machine: how fast things are is measured in bench/. */
const patient = { poll: { timeout: 20_000 } };
const everywhere = ["**/node_modules/**", "**/.tsbuild/**", "**/dist/**"];

export default defineConfig({
  test: {
    pool: "forks",
    maxWorkers: 2,
    globalSetup: ["test/servers/setup.ts"],
    projects: [
      {
        test: {
          name: "unit",
          include: [
            "{shared,agent,receiver,bench,installers,start}/**/*.test.ts",
            "*.test.ts",
            "test/{servers,network}/*.test.ts",
          ],
          exclude: everywhere,
          testTimeout: 60_000,
          expect: patient,
        },
      },
      {
        test: {
          name: "journeys",
          include: ["test/**/*.test.ts"],
          exclude: [...everywhere, "test/{servers,network}/**"],
          testTimeout: 120_000,
          hookTimeout: 120_000,
          expect: patient,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
});
