import { defineConfig } from "vitest/config";

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
        },
      },
      {
        test: {
          name: "journeys",
          include: ["test/**/*.test.ts"],
          exclude: [...everywhere, "test/{servers,network}/**"],
          testTimeout: 120_000,
          hookTimeout: 120_000,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
});
