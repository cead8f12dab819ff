/** Why things wait at one stage: of each source, in words, with what to do next. */
import { Stack, Text } from "@mantine/core";
import type { Stage } from "@tributary/shared/protocol.ts";
import { heldWords } from "../../attention-words.ts";
import { Time } from "../../parts/time.tsx";
import { t } from "../../texts.ts";
import { type Agent, heldAt, holdsUp } from "./facts-of.ts";

const MOST = 30;

export function Reasons({ agent, stage }: { readonly agent: Agent; readonly stage: Stage }) {
  const all = heldAt(agent, stage);
  return (
    <Stack gap={4} role="status" aria-label={t.agent.why(t.agent.stages[stage])}>
      <Text size="sm" fw={600}>
        {t.agent.why(t.agent.stages[stage])}
      </Text>
      {all.length === 0 ? (
        <Text size="sm" c="dimmed">
          {t.agent.nothingHeld}
        </Text>
      ) : (
        <ul className="rows">
          {all.slice(0, MOST).map(({ client, source, held }) => (
            <li key={`${client} ${source} ${held.reason}`}>
              <span
                aria-hidden
                style={{
                  color: holdsUp([{ client, source, held }]) === "held" ? "var(--attention)" : undefined,
                }}
              >
                {holdsUp([{ client, source, held }]) === "held" ? "◐" : "○"}
              </span>
              <Text size="sm" fw={600}>
                {source === "" ? agent.name : `${client} / ${source}`}
              </Text>
              <div>
                <Text size="sm">{heldWords(held.reason, held.count, held.path)}</Text>
                <Text size="xs" c="dimmed">
                  {t.attention.nextHeld[held.reason]}
                </Text>
              </div>
              <Text size="xs" c="dimmed">
                {held.since !== undefined && <Time at={held.since} />}
              </Text>
            </li>
          ))}
        </ul>
      )}
      {all.length > MOST && (
        <Text size="xs" c="dimmed">
          {t.agent.more(String(all.length - MOST))}
        </Text>
      )}
    </Stack>
  );
}
