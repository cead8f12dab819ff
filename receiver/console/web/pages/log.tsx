import { Page } from "../parts/page.tsx";

export default function Log() {
  return <Page title="Log">{null}</Page>;
}
