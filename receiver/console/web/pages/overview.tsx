import { Page } from "../parts/page.tsx";
import { t } from "../texts.ts";

export default function Overview() {
  return <Page title={t.nav.overview}>{null}</Page>;
}
