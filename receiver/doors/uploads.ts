/** Large files in parts: `POST /v1/uploads`, `PUT …/{id}/parts/{n}`, `POST …/{id}/complete`, `GET` and `DELETE …/{id}`. */
import { decodePath, requirePath } from "@tributary/shared/path.ts";
import { ProblemError } from "@tributary/shared/problems.ts";
import { HEADER, ROUTE, uploadRequest, uuid } from "@tributary/shared/protocol.ts";
import { Hono } from "hono";
import type { Principal } from "../identity/principal.ts";
import type { Uploads } from "../ingest/ingest.ts";
import { readBody, readJson } from "./body.ts";
import type { DoorContext, DoorEnv } from "./door.ts";
import { type ByteDoor, digestOf, requirePlainBody } from "./files.ts";
import { clientFor, identify, whileAllowed } from "./identify.ts";
import { termOf } from "./lease.ts";

export function uploadsDoor(door: ByteDoor & { readonly uploads: Uploads }): Hono<DoorEnv> {
  const { gate, uploads, places, pace } = door;
  return new Hono<DoorEnv>()
    .post(ROUTE.uploads, async (c) => {
      const principal = await identify(gate, c);
      const client = clientFor(c, principal, "write", undefined);
      const request = await readJson(c, uploadRequest);
      clientFor(c, principal, "write", request.source);
      requirePath(decodePath(request.pathEncoded));
      const created = await uploads.create(principal, client, request, termOf(c, principal));
      return c.json(created, "uploadId" in created || created.status === "created" ? 201 : 200);
    })
    .get(`${ROUTE.uploads}/:id`, async (c) => {
      const principal = await identify(gate, c);
      const { id } = await uploadOf(uploads, c, principal);
      return c.json(await uploads.state(principal, id));
    })
    .put(`${ROUTE.uploads}/:id/parts/:number`, async (c) => {
      const principal = await identify(gate, c);
      const number = partNumberOf(c);
      requirePlainBody(c);
      const sha256 = digestOf(c, HEADER.contentDigest, true);
      const { id, client } = await uploadOf(uploads, c, principal);
      return await places.hold(principal, client, async () => {
        const body = readBody(c.env.incoming, c.env.outgoing, pace);
        const answer = await whileAllowed(gate, principal, [client], body.fail, (stillAllowed) =>
          uploads.part(principal, id, number, { bytes: body.bytes, size: body.size, sha256 }, stillAllowed),
        );
        return c.json(answer);
      });
    })
    .post(`${ROUTE.uploads}/:id/complete`, async (c) => {
      const principal = await identify(gate, c);
      const { id, client } = await uploadOf(uploads, c, principal);
      const lease = termOf(c, principal);
      // The whole may be read back: as much work as a file that comes in.
      return await places.hold(principal, client, async () => {
        const nothingToCut = (): void => {};
        const answer = await whileAllowed(gate, principal, [client], nothingToCut, (stillAllowed) =>
          uploads.complete(principal, id, stillAllowed, lease),
        );
        return c.json(answer, answer.status === "created" ? 201 : 200);
      });
    })
    .delete(`${ROUTE.uploads}/:id`, async (c) => {
      const principal = await identify(gate, c);
      const { id } = await uploadOf(uploads, c, principal);
      await uploads.abort(principal, id);
      return c.body(null, 204);
    });
}

/** Of the client that the request names, as every request must whose sender has several: it is whose limits it counts for. */
async function uploadOf(
  uploads: Pick<Uploads, "clientOf">,
  c: DoorContext,
  principal: Principal,
): Promise<{ readonly id: string; readonly client: string }> {
  const parsed = uuid.safeParse(c.req.param("id"));
  if (!parsed.success) throw new ProblemError("upload-unknown", "this is not the id of an upload");
  const id = parsed.data;
  const client = clientFor(c, principal, "write", undefined);
  if ((await uploads.clientOf(principal, id)) === client) return { id, client };
  throw new ProblemError("upload-unknown", `there is no upload ${id} of the client "${client}"`);
}

function partNumberOf(c: DoorContext): number {
  const text = c.req.param("number") ?? "";
  if (/^[1-9]\d{0,4}$/.test(text)) return Number(text);
  throw new ProblemError("part-invalid", `"${text.slice(0, 50)}" is not the number of a part`);
}
