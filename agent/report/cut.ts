/** Words that fit the wire. */
import { WORDS_MOST } from "@tributary/shared/protocol.ts";

/** What does not fit the wire would have the whole heartbeat refused, and the agent would seem to be gone. */
export function cut(text: string): string {
  return text.length <= WORDS_MOST ? text : `${text.slice(0, WORDS_MOST - 1).toWellFormed()}…`;
}
