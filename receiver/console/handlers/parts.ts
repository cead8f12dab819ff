/** What the handlers of the console are given. */
import type { DeliveryAnswer } from "@tributary/shared/protocol.ts";
import type { Administrator } from "../../administration/administrator.ts";
import type { FleetView } from "../../fleet/view.ts";
import type { Install } from "../../install/install.ts";
import type { AnyLake } from "../../lake/lake.ts";
import type { LedgerDatabase } from "../../ledger/database.ts";
import type { Discard } from "../../ledger/discard.ts";
import type { History, Release } from "../../ledger/ledger.ts";
import type { LineMemory } from "../../lines/memory.ts";
import type { Overview } from "../../overview/overview.ts";
import type { People, PersonSession } from "../../people/auth.ts";
import type { Previews } from "../../preview/preview.ts";
import type { Signer } from "../../search/receipts.ts";
import type { Trees } from "../../tree/tree.ts";
import type { Me } from "../answers.ts";
import type { Asked } from "../console.ts";
import type { Live } from "../live.ts";

export interface HandlerParts {
  readonly database: LedgerDatabase;
  readonly fleet: FleetView;
  readonly live: Live;
  readonly people: People;
  /** Whether who asked once still may: for what takes long. */
  readonly allowed: (asked: Pick<Asked, "incoming">) => Promise<boolean>;
  /** Of the console's address: what links begin with. */
  readonly origin: string;
  readonly install: Install;
  /** What is the same for everybody who looks. */
  readonly site: Omit<Me, "id" | "name" | "email" | "role" | "mustSetUp">;
  /** How agents come to trust the receiver, as their code says it. */
  readonly codeTrust: () => string;
  /** What gives the stored form of a webhook's secret. It writes itself: to be asked before a transaction, never in one. */
  readonly closer: () => Promise<(secret: string, webhook: string) => string>;
  /** Why an address cannot be told of arrivals; undefined: it can. */
  readonly refusalOf: (url: URL) => Promise<string | undefined>;
  readonly overview: Overview;
  readonly trees: Pick<Trees, "now" | "ever" | "asAt" | "bounds">;
  readonly history: History;
  readonly lake: Pick<AnyLake, "read">;
  readonly previews: Previews;
  /** What checks receipts. */
  readonly signer: () => Signer;
  readonly lines: Pick<LineMemory, "recent">;
  /** A bundle that tells how this receiver is. */
  readonly diagnose: () => Promise<Buffer>;
  readonly release: (id: string, release: Release) => Promise<DeliveryAnswer>;
  readonly discard: (id: string, discard: Discard) => Promise<{ readonly before: boolean }>;
}

/** Who acts, for `administration`. */
export function onPage({ database: { db } }: HandlerParts, asked: Asked): Administrator {
  const { address, requestId } = asked;
  const { id, email } = sessionOf(asked).person;
  return { db, who: { kind: "person", id, name: email, address, requestId } };
}

/** Of who is signed in: calls that take a role have one. */
export function sessionOf({ session }: Asked): PersonSession {
  if (session === undefined) throw new Error("this call takes nobody's session");
  return session;
}
