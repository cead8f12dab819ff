import { Page } from "../parts/page.tsx";
import { t } from "../texts.ts";

export default function Settings({ tab }: { readonly tab: string }) {
  return <Page title={t.nav.settings}>{tab}</Page>;
}
