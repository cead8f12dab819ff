import { ProblemError } from "@tributary/shared/problems.ts";
import { expect, test } from "vitest";
import { openWhenRoom } from "./opening.ts";

const full = () => new ProblemError("disk-full", "no room");

test("a full disk is told once, and waited for", async () => {
  const told: string[] = [];
  let tries = 0;
  const open = (): string => {
    tries += 1;
    if (tries < 4) throw full();
    return "queue";
  };
  const never = new AbortController().signal;
  expect(await openWhenRoom(open, ({ message }) => told.push(message), never, 1)).toBe("queue");
  expect(told).toEqual(["no room"]);
});

test("a stop ends the waiting; what is no full disk is thrown", async () => {
  const stop = new AbortController();
  const waiting = openWhenRoom(
    () => {
      throw full();
    },
    () => stop.abort(),
    stop.signal,
    2 ** 30,
  );
  expect(await waiting).toBeUndefined();
  const broken = openWhenRoom(
    () => {
      throw new ProblemError("queue-unusable", "damaged");
    },
    () => expect.fail(),
    new AbortController().signal,
  );
  await expect(broken).rejects.toMatchObject({ code: "queue-unusable" });
});
