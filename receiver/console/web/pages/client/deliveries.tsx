/** What came from one client. */
import { DeliveryList } from "../deliveries/list.tsx";

export function ClientDeliveries({ client }: { readonly client: string }) {
  return <DeliveryList client={client} />;
}
