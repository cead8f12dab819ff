/** What comes out of each call of `calls.ts`. Sizes in bytes, times RFC 3339. */
import type { Jwks, ManifestLine } from "@tributary/shared/protocol.ts";
import type { Offboarding } from "../administration/offboard.ts";
import type { Attention } from "../attention/attention.ts";
import type { AuditLine } from "../audit/audit.ts";
import type { Delivery } from "../deliveries/deliveries.ts";
import type { CommandView } from "../fleet/commands.ts";
import type { DiagnosticsView } from "../fleet/diagnostics.ts";
import type { AgentSummary } from "../fleet/view.ts";
import type { AgentView } from "../identity/agents.ts";
import type { ApiKeyView } from "../identity/apikeys.ts";
import type { InvitationView } from "../identity/invitations.ts";
import type { AccountView } from "../identity/sftp-accounts.ts";
import type { Bringer } from "../ledger/bringers.ts";
import type { Quotas } from "../ledger/decide.ts";
import type { Limits } from "../ledger/limits.ts";
import type { QuarantinedFile } from "../ledger/quarantine.ts";
import type { RecentLines } from "../lines/memory.ts";
import type { Amount, ArrivalHour, Arrived } from "../overview/overview.ts";
import type { Cell } from "../overview/punctuality.ts";
import type { Band } from "../overview/usual.ts";
import type { Role as PersonRole } from "../people/people.ts";
import type { Preview } from "../preview/preview.ts";
import type { RefusalView } from "../refusals/refusals.ts";
import type { FoundEntry } from "../search/digests.ts";
import type { CheckedReceipt } from "../search/receipts.ts";
import type { Found, FoundFiles } from "../search/search.ts";
import type { Moment } from "../timeline/timeline.ts";
import type { DeadLetterView, WebhookView } from "../webhooks/standing.ts";
import type { Role } from "./calls.ts";

/** A page of something; `next` is what `after` or `before` of the next page is. */
export interface Page<T> {
  readonly items: readonly T[];
  readonly next: string | null;
}

/** A file or a folder in a list. */
export interface FileRow {
  readonly kind: "file" | "folder" | "removed";
  readonly name: string;
  readonly pathEncoded: string;
  readonly size: number | null;
  readonly modifiedAt: string | null;
  /** Of a folder: when it was first there. */
  readonly receivedAt: string | null;
  /** Of its newest entry, as it then was; null of a folder. */
  readonly versionId: string | null;
  readonly channel: string | null;
  /** False: whether this folder was there at that time took too long to find out. */
  readonly sure: boolean;
}

export interface FilesFound {
  readonly files: FoundFiles["files"];
  readonly next: string | null;
  /** How much was looked through, from 0 to 1. */
  readonly searched: number;
  /** So many entries are not searched yet. */
  readonly behind: number;
}

export interface OverviewAnswer {
  readonly arrived: Arrived;
  /** The last 7 days; `usual` null: too little is known. */
  readonly byHour: readonly (Omit<ArrivalHour, "usual"> & { readonly usual: Band | null })[];
  /** Feeds that would usually have delivered by now, and have not. */
  readonly late: number;
  readonly feeds: number;
  readonly agents: number;
  readonly silent: number;
  readonly waiting: {
    readonly files: number;
    readonly bytes: number;
    readonly oldestSealedAt: string | null;
    /** Refused for good, and kept beside the queue. */
    readonly aside: number;
  };
  /** The worst; `total`: of all, or of all that are late where only these were asked for. */
  readonly attention: { readonly items: readonly NeedsSomebody[]; readonly total: number };
}

/** Of a house agent it may concern hundreds of clients: who these are is not sent. */
export type NeedsSomebody = Omit<Attention, "clients">;

export interface PunctualityAnswer {
  /** ms since 1970 of the begin of each UTC day, today last. */
  readonly days: readonly number[];
  /** `source` null: a whole client, the worst of its sources. */
  readonly rows: readonly {
    readonly client: string;
    readonly source: string | null;
    readonly cells: readonly Cell[];
  }[];
  readonly next: string | null;
}

/** Who looks, and what the site is. */
export interface Me {
  readonly id: string;
  readonly name: string;
  readonly email: string;
  readonly role: Role;
  /** Nothing but the own account is open until a second factor is set up. */
  readonly mustSetUp: boolean;
  /** The site's name for people: the host of its address. */
  readonly site: string;
  readonly version: string;
  /** Where agents reach the receiver. */
  readonly receiverUrl: string;
  /** Null: this door is off. */
  readonly sftp: { readonly host: string; readonly port: number } | null;
}

export interface ClientRow {
  readonly name: string;
  readonly state: "active" | "suspended" | "offboarded";
  readonly createdAt: string;
  readonly storedBytes: number;
  readonly dayBytes: number;
  /** Of the last 7 UTC days, today last. */
  readonly days: readonly Amount[];
  readonly lastArrivalAt: string | null;
  /** That act for it and are not revoked; silent ones among them. */
  readonly agents: number;
  readonly silent: number;
}

export interface ClientDetail extends ClientRow {
  readonly suspendedAt: string | null;
  readonly offboardedAt: string | null;
  /** Its own; null: the default holds. */
  readonly quotas: Quotas;
  readonly limits: Limits;
}

/** A code that was made just now: it cannot be shown again. */
export interface MadeInvitation {
  readonly id: string;
  readonly code: string;
  readonly expiresAt: string;
  /** What is pasted at the host; `missing`: why there is none for this system. */
  readonly lines: Readonly<
    Record<"linux" | "windows", { readonly line: string } | { readonly missing: string }>
  >;
}

/** What is shown once. */
export interface Secret {
  readonly id: string;
  readonly secret: string;
}

/** Somebody who may sign in, and with what. */
export interface PersonRow {
  readonly id: string;
  readonly email: string;
  readonly name: string;
  readonly role: PersonRole;
  /** Of an uploader. */
  readonly client: string | null;
  readonly createdAt: string;
  readonly disabledAt: string | null;
  readonly lastLoginAt: string | null;
  readonly password: boolean;
  readonly totp: boolean;
  readonly passkeys: number;
  readonly providers: readonly string[];
}

export interface SessionRow {
  readonly id: string;
  readonly how: string;
  readonly address: string | null;
  readonly device: string | null;
  readonly createdAt: string;
  readonly usedAt: string;
  /** The one that asks. */
  readonly current: boolean;
}

/** A one-time link that nobody followed yet, or what it is for. */
interface Link {
  readonly kind: "first" | "invite" | "reset";
  readonly email: string | null;
  readonly role: PersonRole;
  readonly client: string | null;
  readonly expiresAt: string;
}

type Done = Readonly<Record<never, never>>;

export interface Answers {
  "sign-in": {
    readonly site: string;
    readonly providers: readonly { readonly id: string; readonly name: string }[];
    /** Whether passkeys can be used at this address. */
    readonly passkeys: boolean;
    /** False: nobody was ever added, and the receiver has printed a link for the first. */
    readonly anybody: boolean;
  };
  "welcome.look": Link & { readonly name: string | null; readonly site: string };
  "welcome.accept": { readonly email: string };
  me: Me;
  /** Server-sent events: see `live.ts`. */
  live: Response;

  "overview.get": OverviewAnswer;
  /** Clients that something of the attention concerns. */
  "overview.troubled": { readonly clients: readonly string[] };
  "overview.punctuality": PunctualityAnswer;
  /**
   * `usualBy`: of today, or of the next day on which that is usual; `days`: files of each of `punctuality.days`; `byHour`: all
   * sources together, and nothing is said of what is usual.
   */
  "overview.client": {
    readonly feeds: readonly {
      readonly source: string;
      readonly lastAt: string | null;
      readonly usualBy: string | null;
      readonly days: readonly number[];
    }[];
    readonly byHour: OverviewAnswer["byHour"];
    readonly punctuality: PunctualityAnswer;
    readonly attention: readonly NeedsSomebody[];
  };

  /** All: a page sorts and filters a thousand rows faster than it can ask. */
  "clients.list": { readonly items: readonly ClientRow[] };
  "clients.get": ClientDetail;
  "clients.add": Done;
  "clients.suspend": Done;
  "clients.resume": Done;
  "clients.offboarding": Offboarding;
  "clients.offboard": Offboarding;
  "clients.bound": Done;

  "agents.list": { readonly items: readonly AgentSummary[] };
  /** `diagnostics`: the newest bundles that it made. */
  "agents.get": AgentView & { readonly diagnostics: readonly DiagnosticsView[] };
  "agents.commands": { readonly items: readonly CommandView[] };
  "agents.scan": CommandView;
  "agents.pause": Done;
  "agents.resume": Done;
  "agents.diagnose": CommandView;
  /** gzip'd JSON, to download. */
  "agents.bundle": Response;
  "agents.revoke": Done;
  "agents.bound": Done;

  "invitations.list": { readonly items: readonly InvitationView[] };
  "invitations.add": MadeInvitation;
  "invitations.cancel": Done;

  "keys.list": { readonly items: readonly ApiKeyView[] };
  "keys.add": Secret;
  "keys.bound": Done;
  "keys.revoke": Done;

  "accounts.list": { readonly items: readonly AccountView[] };
  /** `password`: made just now, shown once. */
  "accounts.add": { readonly id: string; readonly password: string | null };
  "accounts.bound": Done;
  "accounts.credentials": { readonly password: string | null };
  "accounts.revoke": Done;

  "webhooks.list": { readonly items: readonly WebhookView[] };
  "webhooks.add": Secret;
  "webhooks.replay": { readonly dead: number };
  "webhooks.revoke": Done;
  "deadletters.list": Page<DeadLetterView>;

  /** `searchedTo`: what came before it was not looked at yet, and `next` goes on there. */
  "deliveries.list": {
    readonly items: readonly Delivery[];
    readonly next: number | null;
    readonly searchedTo: string | null;
  };
  /** Of the same filter, what came since; `more`: at least so many. */
  "newer.count": { readonly count: number; readonly more: boolean };

  /** Null: nothing ever came. */
  "files.bounds": { readonly firstAt: string | null; readonly lastAt: string | null };
  "files.sources": { readonly items: readonly string[] };
  "files.list": Page<FileRow>;
  "files.versions": { readonly items: readonly Moment[]; readonly next: number | null };
  "files.version": Omit<ManifestLine, "receipt">;
  /** A compact JWS, to download. */
  "files.receipt": Response;
  "files.download": Response;
  "files.preview": Preview;

  "search.all": {
    readonly clients: Found["clients"];
    readonly agents: Found["agents"];
    readonly version: FoundEntry | null;
    readonly receipt: CheckedReceipt | null;
    readonly digests: Page<FoundEntry>;
    readonly files: FilesFound;
  };
  "search.files": FilesFound;

  "quarantine.list": Page<QuarantinedFile & { readonly sender: Bringer }>;
  "quarantine.release": { readonly status: string; readonly versionId: string };
  "quarantine.discard": Done;

  "audit.list": Page<AuditLine>;

  "refusals.list": {
    /** The latest. */
    readonly items: readonly RefusalView[];
    /** There are more than these. */
    readonly more: boolean;
    /** Of all that were lately, whatever code was asked for. */
    readonly codes: readonly string[];
  };
  "log.lines": RecentLines;
  /** gzip'd JSON, to download. */
  "site.diagnostics": Response;
  /** What receipts are checked with: public keys of all that this site ever signed with. */
  "site.jwks": { readonly site: string; readonly keys: Jwks["keys"] };

  "people.list": { readonly items: readonly PersonRow[]; readonly links: readonly Link[] };
  /** Shown once. */
  "people.invite": { readonly link: string };
  "people.withdraw": Done;
  "people.role": Done;
  "people.disable": Done;
  "people.enable": Done;
  "people.reset": { readonly link: string };
  "people.sessions": { readonly items: readonly SessionRow[] };
  "people.signout": Done;

  /** `passkeysOff`: why there are none at this address. */
  "account.get": PersonRow & {
    readonly how: string;
    readonly mustSetUp: boolean;
    readonly passkeysOff: string | null;
    readonly sessions: readonly SessionRow[];
  };
  "account.rename": Done;
  "account.revoke": Done;
}
