/** One client, in tabs. */
import { Alert, Anchor, Tabs } from "@mantine/core";
import { Suspense } from "react";
import { Link, useLocation } from "wouter";
import { Loaded, Page } from "../parts/page.tsx";
import { Time } from "../parts/time.tsx";
import { useCall } from "../queries.ts";
import { t } from "../texts.ts";
import { AuditList } from "./audit.tsx";
import { ClientAccess } from "./client/access.tsx";
import { ClientAgents } from "./client/agents.tsx";
import { ClientDeliveries } from "./client/deliveries.tsx";
import { ClientFiles } from "./client/files.tsx";
import { ClientOverview } from "./client/overview.tsx";
import { ClientSettings } from "./client/settings.tsx";

const TABS = ["overview", "files", "deliveries", "agents", "access", "settings", "audit"] as const;

export default function Client({ client, tab }: { readonly client: string; readonly tab: string }) {
  const query = useCall("clients.get", { client });
  const [, go] = useLocation();
  return (
    <Page
      title={client}
      above={
        <Anchor component={Link} href="/clients" size="sm">
          {t.clients.title}
        </Anchor>
      }
    >
      <Loaded query={query}>
        {(detail) => (
          <>
            {detail.state !== "active" && (
              <Alert
                color={detail.state === "suspended" ? "orange" : "gray"}
                variant="light"
                title={detail.state === "suspended" ? t.client.isSuspended : t.client.isOffboarded}
              >
                <Time at={detail.offboardedAt ?? detail.suspendedAt} />
              </Alert>
            )}
            <Tabs
              value={tab}
              onChange={(to) => to !== null && go(`/clients/${client}/${to}`)}
              keepMounted={false}
            >
              <Tabs.List>
                {TABS.map((name) => (
                  <Tabs.Tab key={name} value={name}>
                    {t.client.tabs[name]}
                  </Tabs.Tab>
                ))}
              </Tabs.List>
              <Tabs.Panel value={tab} pt="md">
                <Suspense fallback={null}>
                  {tab === "overview" && <ClientOverview client={client} />}
                  {tab === "files" && <ClientFiles client={client} />}
                  {tab === "deliveries" && <ClientDeliveries client={client} />}
                  {tab === "agents" && <ClientAgents client={client} />}
                  {tab === "access" && <ClientAccess client={client} />}
                  {tab === "settings" && <ClientSettings detail={detail} />}
                  {tab === "audit" && <AuditList client={client} />}
                </Suspense>
              </Tabs.Panel>
            </Tabs>
          </>
        )}
      </Loaded>
    </Page>
  );
}
