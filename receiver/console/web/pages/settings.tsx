/** One's own account, the people of the site, and the site. */
import { Tabs } from "@mantine/core";
import { useLocation } from "wouter";
import { Page } from "../parts/page.tsx";
import { t } from "../texts.ts";
import { useViewer } from "../viewer.tsx";
import { Account } from "./settings/account.tsx";
import { People } from "./settings/people.tsx";
import { Site } from "./settings/site.tsx";

const TABS = ["account", "people", "site"] as const;

export default function Settings({ tab }: { readonly tab: string }) {
  const [, go] = useLocation();
  const { role } = useViewer();
  const tabs = TABS.filter((name) => name !== "people" || role === "admin" || tab === "people");
  return (
    <Page title={t.nav.settings}>
      <Tabs value={tab} onChange={(to) => to !== null && go(`/settings/${to}`)} keepMounted={false}>
        <Tabs.List>
          {tabs.map((name) => (
            <Tabs.Tab key={name} value={name}>
              {t.settings.tabs[name]}
            </Tabs.Tab>
          ))}
        </Tabs.List>
        <Tabs.Panel value={tab} pt="md">
          {tab === "account" && <Account />}
          {tab === "people" && <People />}
          {tab === "site" && <Site />}
        </Tabs.Panel>
      </Tabs>
    </Page>
  );
}
