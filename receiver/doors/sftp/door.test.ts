import { expect, test } from "vitest";
import { type SftpDoor, sftpDoor } from "./door.ts";
import { SftpScene } from "./scene.ts";

test("who is there without a session is sent away when the receiver stops, and whoever comes then", () => {
  const stopping = new AbortController();
  const gate = { watch: () => () => {} };
  const enter = sftpDoor({ gate, stopping: stopping.signal } as unknown as SftpDoor);
  const said: string[] = [];
  const come = (name: string) =>
    enter({
      ...{ account: new SftpScene().account(name), address: "192.0.2.1" },
      onSession: () => {},
      cut: (words) => void said.push(`${name}: ${words}`),
      drop: () => {},
    });
  come("there");
  come("gone")();
  expect(said).toEqual([]);
  stopping.abort();
  expect(said).toEqual(["there: stopping: this receiver is stopping; come again"]);
  come("late");
  expect(said.slice(1)).toEqual(["late: stopping: this receiver is stopping; come again"]);
});
