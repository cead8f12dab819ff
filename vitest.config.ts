import { defineConfig } from "vitest/config";

/**
 * What is waited for may take its time on a busy machine, where a second was not always enough. But not longer than a
 * revocation may take, or than things go on by themselves (heartbeats, catching up): then a poll would prove nothing.
 */
const patient = { poll: { timeout: 5_000 } };
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
          testTimeout: 15_000,
          expect: patient,
        },
      },
      {
        test: {
          name: "journeys",
          include: ["test/**/*.test.ts"],
          exclude: [...everywhere, "test/{servers,network,packages,browser}/**"],
          testTimeout: 120_000,
          hookTimeout: 120_000,
          expect: patient,
          // They wait more than they work: for rescans, heartbeats, retries, processes that begin.
          maxWorkers: 3,
          sequence: { groupOrder: 1 },
        },
      },
      {
        test: {
          name: "browser",
          include: ["test/browser/**/*.test.ts"],
          exclude: everywhere,
          globalSetup: ["test/browser/setup.ts"],
          testTimeout: 60_000,
          hookTimeout: 60_000,
          expect: patient,
          sequence: { groupOrder: 2 },
        },
      },
      {
        test: {
          name: "packages",
          include: ["test/packages/**/*.test.ts"],
          exclude: everywhere,
          globalSetup: ["test/packages/setup.ts"],
          testTimeout: 120_000,
          hookTimeout: 180_000,
          expect: patient,
          sequence: { groupOrder: 3 },
        },
      },
    ],
  },
});
