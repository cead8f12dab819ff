/** The pages that the browser is shown are those of the sources, whoever built them last. */
import { buildPages } from "../../start/pages.ts";
import { ROOT } from "../site/process.ts";

export default async function setup(): Promise<void> {
  await buildPages(ROOT, (line) => console.log(line));
}
