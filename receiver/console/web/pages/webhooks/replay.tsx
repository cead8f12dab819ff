/** Sends a webhook back to an earlier place, or takes one up again that had ended. */
import { Stack, Text, TextInput } from "@mantine/core";
import { useState } from "react";
import type { WebhookView } from "../../../../webhooks/standing.ts";
import { Confirmed } from "../../parts/confirm.tsx";
import { useAct } from "../../queries.ts";
import { t } from "../../texts.ts";
import { nameOf } from "./standing.tsx";

export function Replay({ webhook }: { readonly webhook: WebhookView }) {
  const [from, setFrom] = useState("");
  const replay = useAct("webhooks.replay", ["deadletters"]);
  const lost = webhook.state === "lost";
  return (
    <Confirmed
      label={t.webhooks.replay}
      title={t.webhooks.replayTitle(nameOf(webhook))}
      danger={false}
      ready={!lost || from.trim() !== ""}
      says={
        <Stack gap="sm">
          <Text size="sm">{t.webhooks.replaySays}</Text>
          <TextInput
            label={t.webhooks.replayFrom}
            description={lost ? t.webhooks.fromHint : `${t.webhooks.fromHint}; ${t.webhooks.replayHere}`}
            value={from}
            onChange={(event) => setFrom(event.currentTarget.value)}
            required={lost}
            data-autofocus
          />
        </Stack>
      }
      onConfirm={() =>
        replay.mutateAsync({ id: webhook.id, ...(from.trim() === "" ? {} : { from: from.trim() }) })
      }
    />
  );
}
