/** What came from all clients. */
import { Page } from "../parts/page.tsx";
import { t } from "../texts.ts";
import { DeliveryList } from "./deliveries/list.tsx";

export default function Deliveries() {
  return (
    <Page title={t.deliveries.title}>
      <DeliveryList />
    </Page>
  );
}
