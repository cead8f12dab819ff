/** Files: what arrived, the tree as at any instant, one file's history, its bytes and its receipt. */
import { pipeline } from "node:stream/promises";
import { RESPONSE_ALREADY_SENT } from "@hono/node-server/utils/response";
import { formatDigest } from "@tributary/shared/digest.ts";
import { decodePath, displayPath } from "@tributary/shared/path.ts";
import { ProblemError } from "@tributary/shared/problems.ts";
import type { ManifestLine } from "@tributary/shared/protocol.ts";
import { downloadOf, previewOf } from "../../administration/files.ts";
import { type Deed, noted } from "../../audit/audit.ts";
import { countNewer, listDeliveries } from "../../deliveries/deliveries.ts";
import { type Came, cameOf } from "../../deliveries/doors.ts";
import { findAnything, findFiles } from "../../search/search.ts";
import { versionsOf } from "../../timeline/timeline.ts";
import type { View } from "../../tree/tree.ts";
import type { FileRow } from "../answers.ts";
import type { Asked, Handlers } from "../console.ts";
import { type HandlerParts, onPage } from "./parts.ts";

type FileHandlers = Pick<
  Handlers,
  Extract<
    keyof Handlers,
    `deliveries.${string}` | `newer.${string}` | `files.${string}` | `search.${string}` | "site.jwks"
  >
>;

const CENTRAL = { id: "", seesAll: true } as const;
/** What was revoked counts within 5 s. */
const ASK_AGAIN_MS = 3000;
const PREVIEW = { rows: 100, columns: 100 } as const;

export function fileHandlers(parts: HandlerParts): FileHandlers {
  const { database, trees, history, lake, previews } = parts;
  const { db } = database;

  const versionOf = async (id: string): Promise<ManifestLine> => {
    const line = await history.version(id);
    if (line === undefined) throw new ProblemError("not-found", `there is no version ${id}`);
    return line;
  };
  const contentOf = async (id: string) => {
    const { key, size, sha256, ...line } = await versionOf(id);
    if (key === null || size === null || sha256 === null)
      throw new ProblemError("not-found", `${id} is a removal; it has no content`);
    return { ...line, key, size, sha256 };
  };
  /** Whoever looks into a client's file is remembered. */
  const remember = async (deed: Deed, asked: Asked): Promise<void> =>
    await noted(db, onPage(parts, asked).who, deed);

  return {
    "deliveries.list": async ({ limit, before, from, to, digest, ...filter }) => {
      const { deliveries, next, searchedTo } = await listDeliveries(db, {
        ...filterOf({ ...filter, from, to, digest }),
        ...(before === undefined ? {} : { before }),
        limit,
      });
      return { items: deliveries, next: next ?? null, searchedTo: searchedTo ?? null };
    },
    "newer.count": async ({ after, from, to, digest, ...filter }) =>
      await countNewer(db, { ...filterOf({ ...filter, from, to, digest }), after }),

    "files.bounds": async ({ client }) => (await trees.bounds(client)) ?? { firstAt: null, lastAt: null },
    "files.sources": async ({ client, at }) => {
      const view: View = { client, bearer: CENTRAL };
      return { items: await (at === undefined ? trees.now : trees.asAt(Date.parse(at))).sources(view) };
    },
    "files.list": async ({ client, source, folder, at, removed, ...part }) => {
      const view: View = { client, bearer: CENTRAL };
      const tree = at !== undefined ? trees.asAt(Date.parse(at)) : removed ? trees.ever : trees.now;
      const { nodes, next } = await tree.list(view, source, folder, part);
      const came = await cameOf(
        db,
        nodes.flatMap((node) => ("seq" in node ? [node.seq] : [])),
      );
      return { items: nodes.map((node) => rowOf(node, came)), next: next ?? null };
    },
    "files.versions": async ({ client, source, path, ...page }) => {
      const { moments, next } = await versionsOf(db, client, source, path, page);
      return { items: moments, next: next ?? null };
    },
    "files.version": async ({ id }) => {
      const { receipt: _receipt, ...entry } = await versionOf(id);
      return entry;
    },
    "files.receipt": async ({ id }) => {
      const { receipt, path } = await versionOf(id);
      return new Response(receipt, {
        headers: attachment(`${nameOf(path)}.receipt.jws`, "application/jose"),
      });
    },
    "files.download": async ({ id }, asked) => {
      const file = await contentOf(id);
      const bytes = await lake.read(file.key);
      if (bytes === undefined)
        throw new ProblemError(
          "lake-unavailable",
          `the lake does not have the object of ${id}; see: tributary-receiver verify`,
        );
      // Only what there is to take along, and before the first byte leaves.
      await remember(downloadOf(file), asked).catch((error: unknown) => {
        bytes.destroy();
        throw error;
      });
      const { outgoing } = asked;
      outgoing.writeHead(200, {
        ...attachment(nameOf(file.path), "application/octet-stream"),
        "content-length": String(file.size),
        "repr-digest": formatDigest(file.sha256),
        "x-request-id": asked.requestId,
      });
      // The status has left: a failure midway, or a session that ends, can only be shown by cutting the connection.
      const cut = (): void => void outgoing.destroy();
      const ask = setInterval(() => {
        // The ledger may be away: nobody's session has ended by that.
        parts.allowed(asked).then(
          (allowed) => allowed || cut(),
          () => {},
        );
      }, ASK_AGAIN_MS);
      await pipeline(bytes, outgoing)
        .catch(cut)
        .finally(() => clearInterval(ask));
      return RESPONSE_ALREADY_SENT;
    },
    "files.preview": async ({ id }, asked) => {
      const file = await contentOf(id);
      await remember(previewOf(file), asked);
      const { key, size } = file;
      return await previews.preview(
        { name: nameOf(file.path), size, read: (range) => lake.read(key, range) },
        { ...PREVIEW, signal: asked.signal },
      );
    },

    "site.jwks": async () => {
      const { site, jwks } = parts.signer();
      return { site, keys: jwks.keys };
    },
    "search.all": async ({ q, limit }) => {
      const found = await findAnything(db, { text: q, limit }, parts.signer());
      const { version, receipt, digests, files } = found;
      return {
        ...{ clients: found.clients, agents: found.agents },
        version: version ?? null,
        receipt: receipt ?? null,
        digests: { items: digests.entries, next: digests.next ?? null },
        files: { ...files, next: files.next ?? null },
      };
    },
    "search.files": async ({ q, client, source, after, limit }) => {
      const found = await findFiles(db, { text: q, client, source, after, limit });
      return { ...found, next: found.next ?? null };
    },
  };
}

interface Filter {
  readonly client?: string | undefined;
  readonly source?: string | undefined;
  readonly channel?: string | undefined;
  readonly bearer?: string | undefined;
  readonly kind?: "version" | "removal" | undefined;
  readonly from?: string | undefined;
  readonly to?: string | undefined;
  readonly digest?: string | undefined;
}

function filterOf({ client, source, channel, bearer, kind, from, to, digest }: Filter) {
  return {
    ...(client === undefined ? {} : { clients: [client] }),
    ...(source === undefined ? {} : { source }),
    ...(channel === undefined ? {} : { channel }),
    ...(bearer === undefined ? {} : { bearer }),
    ...(kind === undefined ? {} : { kind }),
    ...(from === undefined ? {} : { from: Date.parse(from) }),
    ...(to === undefined ? {} : { to: Date.parse(to) }),
    ...(digest === undefined ? {} : { sha256Prefix: digest }),
  };
}

interface Node {
  readonly seq?: number;
  readonly kind: "file" | "folder" | "removed";
  readonly pathEncoded: string;
  readonly size?: number;
  readonly modifiedAt?: string | null;
  readonly receivedAt?: string;
  readonly madeAt?: string;
  readonly sure?: boolean;
}

function rowOf(node: Node, came: ReadonlyMap<number, Came>): FileRow {
  const { kind, pathEncoded, size, modifiedAt, receivedAt, madeAt, sure = true } = node;
  const { versionId, channel } = came.get(node.seq ?? 0) ?? {};
  return {
    ...{ kind, pathEncoded, sure, name: nameOf(displayPath(decodePath(pathEncoded))) },
    ...{ versionId: versionId ?? null, channel: channel ?? null },
    ...{ size: size ?? null, modifiedAt: modifiedAt ?? null, receivedAt: receivedAt ?? madeAt ?? null },
  };
}

const nameOf = (path: string): string => path.slice(path.lastIndexOf("/") + 1);

/** RFC 6266: a plain name for old browsers, and the whole one. Nothing is shown in the page: a file may be anything. */
function attachment(name: string, type: string): Record<string, string> {
  const plain = name.replaceAll(/[^A-Za-z0-9._-]/g, "_").slice(0, 150);
  const whole = encodeURIComponent(name).replaceAll(
    /['()*]/g,
    (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`,
  );
  return {
    "content-type": type,
    "content-disposition": `attachment; filename="${plain}"; filename*=UTF-8''${whole}`,
    "cache-control": "private, no-store",
  };
}
