import { expect, test } from "vitest";
import { type Allowance, type Bringer, type Payer, Room } from "./room.ts";

const MIB = 2 ** 20;
const acme: Bringer = { client: "acme", principal: { kind: "key", id: "k" } };
const NO_BOUNDS: Allowance = {
  ...{ file: undefined, day: undefined, stored: undefined },
  ...{ usedToday: 0, usedStored: 0 },
};

/** A room of 1 MiB reserve whose disks, ledger and clock are moved by the test; looking takes a turn of the event loop. */
function openRoom(free: number, allowance: Partial<Allowance> = {}, own: Partial<Allowance> = {}) {
  const scene = {
    ...{ bodies: free as number | undefined, ledger: undefined as number | undefined, kept: 0 },
    ...{ age: 0, looks: 0, allowance: { ...NO_BOUNDS, ...allowance } },
  };
  const turn = () => new Promise(setImmediate);
  const disks = {
    bodies: async () => {
      scene.looks += 1;
      const { bodies } = scene;
      await turn();
      return bodies;
    },
    ledger: async () => scene.ledger,
    relieve: async () => {
      const { kept } = scene;
      scene.kept = 0;
      if (scene.bodies !== undefined) scene.bodies += kept;
      return kept;
    },
  };
  const allowanceOf = async ({ kind }: Payer): Promise<Allowance> => {
    const found = kind === "client" ? { ...scene.allowance } : { ...NO_BOUNDS, ...own };
    await turn();
    return found;
  };
  const room = new Room(disks, allowanceOf, MIB, { age: () => scene.age });
  return { scene, room };
}

/** How many of these claims were granted, and with what the others were refused. */
async function outcome(claims: readonly Promise<unknown>[]): Promise<[number, readonly unknown[]]> {
  const settled = await Promise.allSettled(claims);
  const refused = settled.flatMap((one) =>
    one.status === "rejected" ? [(one.reason as { code: unknown }).code] : [],
  );
  return [settled.length - refused.length, [...new Set(refused)]];
}

test("of a hundred claims at once only those are granted that fit together", async () => {
  const { room } = openRoom(77 * MIB);
  const claims = Array.from({ length: 100 }, () => room.claim(acme, 70 * MIB));
  expect(await outcome(claims)).toEqual([1, ["disk-reserve"]]);
});

test("what arrived counts until the disk is looked at again, also after its claim has ended", async () => {
  const { room, scene } = openRoom(11 * MIB);
  const claim = await room.claim(acme, 8 * MIB);
  await claim.arrived(8 * MIB);
  claim.release();
  scene.bodies = 3 * MIB;
  await expect(room.claim(acme, 3 * MIB)).rejects.toMatchObject({ code: "disk-reserve" });
  await expect(room.claim(acme, 2 * MIB)).resolves.toBeDefined();
});

test("bytes that arrive while the disk is looked at are not missed", async () => {
  const { room, scene } = openRoom(11 * MIB);
  const claim = await room.claim(acme, 8 * MIB);
  scene.age = 5000;
  const other = room.claim(acme, 4 * MIB);
  await claim.arrived(8 * MIB);
  scene.bodies = 3 * MIB;
  await expect(other).rejects.toMatchObject({ code: "disk-reserve" });
});

test("what never came is room again at once", async () => {
  const { room } = openRoom(11 * MIB);
  const claim = await room.claim(acme, 10 * MIB);
  await expect(room.claim(acme, 1 * MIB)).rejects.toMatchObject({ code: "disk-reserve" });
  await claim.arrived(1000);
  claim.release();
  claim.release();
  await expect(room.claim(acme, 9 * MIB)).resolves.toBeDefined();
});

test("what lies on the disk while its claim lasts counts once", async () => {
  const { room, scene } = openRoom(11 * MIB);
  const claim = await room.claim(acme, undefined);
  await claim.arrived(8 * MIB);
  claim.landed();
  scene.bodies = 3 * MIB;
  scene.age = 1000;
  await expect(room.check(acme, 2 * MIB)).resolves.toBeUndefined();
  claim.release();
  scene.age = 2000;
  await expect(room.check(acme, 2 * MIB)).resolves.toBeUndefined();
  await expect(room.check(acme, 3 * MIB)).rejects.toMatchObject({ code: "disk-reserve" });
});

test("512 bodies of unknown length take no more than there is, piece by piece", async () => {
  const { room } = openRoom(5 * MIB);
  const claims = await Promise.all(Array.from({ length: 512 }, () => room.claim(acme, undefined)));
  const piece = 256 * 1024;
  expect(await outcome(claims.map((claim) => claim.arrived(piece)))).toEqual([16, ["disk-reserve"]]);
});

test("the disk is looked at once a second, whatever comes", async () => {
  const { room, scene } = openRoom(1000 * MIB);
  const claim = await room.claim(acme, undefined);
  for (let i = 0; i < 100; i += 1) await claim.arrived(MIB);
  expect(scene.looks).toBe(1);
  scene.age = 1000;
  await claim.arrived(MIB);
  expect(scene.looks).toBe(2);
});

test("what is kept for speed goes before anybody is refused", async () => {
  const { room, scene } = openRoom(2 * MIB);
  scene.kept = 50 * MIB;
  await expect(room.claim(acme, 20 * MIB)).resolves.toBeDefined();
  expect(scene.kept).toBe(0);
});

test("a ledger on another disk is guarded too, and files under way take nothing of it", async () => {
  const { room, scene } = openRoom(100 * MIB);
  scene.ledger = 2 * MIB;
  await expect(room.claim(acme, 50 * MIB)).resolves.toBeDefined();
  scene.ledger = MIB - 1;
  scene.age = 1000;
  await expect(room.claim(acme, 0)).rejects.toThrow(/for its ledger/);
});

test("a client's claims under way count against its quota, not against another's", async () => {
  const { room } = openRoom(1000 * MIB, { stored: 20 * MIB });
  const claims = Array.from({ length: 12 }, () => room.claim(acme, 8 * MIB));
  expect(await outcome(claims)).toEqual([2, ["quota-stored"]]);
  await expect(room.claim({ ...acme, client: "other" }, 8 * MIB)).resolves.toBeDefined();
  // They may end otherwise, so it is worth coming again soon; nothing more is said of the quota than is true.
  await expect(room.claim(acme, 8 * MIB)).rejects.toMatchObject({
    retryAfter: 2,
    message: expect.stringMatching(/has stored 0 B of its .*are on their way/),
  });
  await expect(room.claim(acme, 30 * MIB)).rejects.toMatchObject({ retryAfter: 3600 });
});

test("a key's own bounds are asked as well as its client's, and another key of the client does not have them", async () => {
  const { room } = openRoom(
    1000 * MIB,
    { day: 20 * MIB },
    { day: 10 * MIB, usedToday: 4 * MIB, file: 8 * MIB },
  );
  const limits = { requests: null, uploads: null, day: 10 * MIB, file: 8 * MIB };
  const key: Bringer = { ...acme, principal: { ...acme.principal, limits } };
  await expect(room.claim(key, 9 * MIB)).rejects.toMatchObject({
    code: "quota-file",
    message: expect.stringContaining("the key k"),
  });
  const claim = await room.claim(key, 5 * MIB);
  await expect(room.claim(key, 2 * MIB)).rejects.toMatchObject({ code: "quota-day", retryAfter: 2 });
  await expect(room.check(key, 7 * MIB)).rejects.toMatchObject({ code: "quota-day" });
  await expect(room.claim(acme, 9 * MIB)).resolves.toBeDefined();
  // What the key has under way counts for its client too.
  await expect(room.claim(acme, 7 * MIB)).rejects.toMatchObject({ code: "quota-day" });
  claim.release();
  await expect(room.claim(key, 6 * MIB)).resolves.toBeDefined();
});

test("a file that no day takes says so, and not to come tomorrow", async () => {
  const { room } = openRoom(1000 * MIB, { day: 20 * MIB });
  await expect(room.claim(acme, 21 * MIB)).rejects.toMatchObject({
    code: "quota-day",
    message: expect.stringContaining("no day takes it"),
    retryAfter: 3600,
  });
});

test("what is recorded counts once: until the ledger is asked again, and then there", async () => {
  const { room, scene } = openRoom(1000 * MIB, { day: 20 * MIB });
  const claim = await room.claim(acme, 10 * MIB);
  claim.recorded();
  scene.allowance.usedToday = 10 * MIB;
  claim.release();
  const second = await room.claim(acme, 10 * MIB);
  await expect(room.claim(acme, 1)).rejects.toMatchObject({ code: "quota-day" });
  second.release();
  await expect(room.claim(acme, 10 * MIB)).resolves.toBeDefined();
});

test("a part that came before takes no room of the quota again, and an unknown length its last byte of it", async () => {
  const { room, scene } = openRoom(1000 * MIB, { stored: 8 * MIB, usedStored: 8 * MIB });
  await expect(room.claim(acme, 8 * MIB, 0)).resolves.toBeDefined();
  scene.allowance.usedStored = 8 * MIB - 10;
  scene.age = 1000;
  const pipe = await room.claim(acme, undefined);
  await pipe.arrived(10);
  await expect(pipe.arrived(1)).rejects.toMatchObject({ code: "quota-stored" });
});

test("the largest file, also where its length is not known", async () => {
  const { room } = openRoom(1000 * MIB, { file: 10 });
  await expect(room.claim(acme, 11)).rejects.toMatchObject({ code: "quota-file", retryAfter: 3600 });
  const pipe = await room.claim(acme, undefined);
  await pipe.arrived(10);
  await expect(pipe.arrived(1)).rejects.toMatchObject({ code: "quota-file" });
});

test("a disk that cannot be looked at refuses, and is looked at again", async () => {
  let broken = true;
  const bodies = async (): Promise<number> => {
    if (broken) throw new Error("no such folder");
    return 10 * MIB;
  };
  const disks = { bodies, ledger: async () => undefined, relieve: async () => 0 };
  const room = new Room(disks, async () => NO_BOUNDS, MIB);
  await expect(room.claim(acme, 1)).rejects.toThrow("no such folder");
  broken = false;
  await expect(room.claim(acme, 1)).resolves.toBeDefined();
});
