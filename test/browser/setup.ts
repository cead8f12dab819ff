/** The pages that the browser is shown are those of the sources, whoever built them last; and what they then ask is kept. */
import { buildPages } from "../../installers/pages.ts";
import { watchCalls } from "./made-calls.ts";

export default async function setup(): Promise<() => void> {
  await buildPages((line) => console.log(line));
  return watchCalls();
}
