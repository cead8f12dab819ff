/** The pages that the browser is shown are those of the sources, whoever built them last. */
import { buildPages } from "../../installers/pages.ts";

export default async function setup(): Promise<void> {
  await buildPages((line) => console.log(line));
}
