/** How each client kept to what is usual of it, the worst on top; a page at a time. */
import { Anchor, Button, Text } from "@mantine/core";
import { useState } from "react";
import { Link } from "wouter";
import { DayGrid } from "../../parts/day-cells.tsx";
import { Loaded, Section } from "../../parts/page.tsx";
import { useCall } from "../../queries.ts";
import { t } from "../../texts.ts";

const FIRST = 12;
const STEP = 48;
/** Of one answer. */
const MOST = 500;

export function Punctuality() {
  const [limit, setLimit] = useState(FIRST);
  const query = useCall("overview.punctuality", { limit });
  return (
    <Section title={t.overview.punctuality}>
      <Text size="xs" c="dimmed">
        {t.overview.punctualitySays}
      </Text>
      <Loaded query={query}>
        {({ days, rows, next }) =>
          rows.length === 0 ? (
            <Text size="sm" c="dimmed">
              {t.overview.noPunctuality}
            </Text>
          ) : (
            <>
              <DayGrid
                label={t.overview.punctuality}
                head={t.overview.client}
                days={days}
                rows={rows.map(({ client, cells }) => ({
                  key: client,
                  name: client,
                  head: (
                    <Anchor component={Link} href={`/clients/${client}`} size="sm">
                      {client}
                    </Anchor>
                  ),
                  cells,
                }))}
              />
              {next !== null && limit < MOST && (
                <Button
                  variant="subtle"
                  size="xs"
                  w="max-content"
                  loading={query.isFetching && query.isPlaceholderData}
                  onClick={() => setLimit(Math.min(MOST, limit + STEP))}
                >
                  {t.more}
                </Button>
              )}
            </>
          )
        }
      </Loaded>
    </Section>
  );
}
