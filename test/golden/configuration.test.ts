import { join } from "node:path";
import { test } from "vitest";
import { agentSettings } from "../../agent/config.ts";
import { receiverSettings } from "../../receiver/config.ts";
import { ROOT } from "../site/process.ts";
import { configurationTable } from "./configuration.ts";
import { expectGolden } from "./golden.ts";

test("docs/configuration.md is what the programs read", () => {
  const text = `# Configuration

Both files are YAML, both are optional, and a mistake is refused with its line and what was expected. This page is made from the
schemas that the programs check with (\`UPDATE_GOLDEN=1 npx vitest run test/golden\`).

Durations are written \`250ms\`, \`2s\`, \`5m\`, \`1h30m\`, \`7d\`; sizes \`512\`, \`20MB\` (10^6), \`16MiB\` (2^20); rates \`20MB/s\`.

## receiver.yaml

\`tributary-receiver … --config receiver.yaml\`. Without it everything lies under \`--data\`.

${configurationTable(receiverSettings)}

## agent.yaml

In the agent's data folder, or \`--config FILE\`. A running agent takes up changes within 5 s; a file with a mistake is refused, and the old
configuration stays in force. \`add-folder\` writes into it and keeps your comments.

${configurationTable(agentSettings)}
`;
  expectGolden(join(ROOT, "docs", "configuration.md"), text);
});
