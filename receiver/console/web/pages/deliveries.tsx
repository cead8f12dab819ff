import { Page } from "../parts/page.tsx";

export default function Deliveries() {
  return <Page title="Deliveries">{null}</Page>;
}
