/** Which request is being served, so that a fact of ingest finds its way to the request's log lines without being handed an id through every room. */
import { AsyncLocalStorage } from "node:async_hooks";

const serving = new AsyncLocalStorage<string>();

/** Whatever the work does and awaits is of this request. */
export const inRequest = <T>(requestId: string, work: () => T): T => serving.run(requestId, work);

/** Undefined outside of any; of commits, which are for many at once, it would name any one of them. */
export const requestNow = (): string | undefined => serving.getStore();
