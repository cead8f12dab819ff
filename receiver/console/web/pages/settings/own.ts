/** One's own account, as all parts of its page see it. */
import type { Answers } from "../../../answers.ts";
import { queryClient, refresh } from "../../queries.ts";

export type OwnAccount = Answers["account.get"];

/** What is shown of it is fetched anew. */
export const accountChanged = (): Promise<void> => refresh(queryClient, ["account", "people", "audit"]);
