import { expect, test } from "vitest";
import { Crowd } from "./crowd.ts";

function scene(most: number, perAddress: number) {
  const clock = { now: 0 };
  const told: string[] = [];
  const crowd = new Crowd(
    { most, perAddress },
    (address, again) => void told.push(again ? `${address} again` : address),
    () => clock.now,
  );
  const sent: string[] = [];
  const enter = (address: string, name = address) => crowd.enter(address, () => void sent.push(name));
  return { clock, crowd, told, sent, enter };
}

test("a network of IPv6 is one address, and leaving gives the place back, once", () => {
  const { told, enter } = scene(10, 2);
  const first = enter("2001:db8:1:2::1");
  enter("2001:db8:1:2::2");
  expect(enter("2001:db8:1:2:ffff::3")).toBeUndefined();
  expect(enter("2001:db8:1:3::1")).toBeDefined();
  expect(told).toEqual(["2001:db8:1:2:ffff::3"]);
  first?.leave();
  first?.leave();
  expect(enter("2001:db8:1:2::4")).toBeDefined();
  expect(enter("2001:db8:1:2::5")).toBeUndefined();
});

test("strangers who take all places lose them to others, the first of the most first; who is in never does", () => {
  const { sent, enter } = scene(6, 4);
  enter("192.0.2.1")?.known();
  for (const name of ["a1", "a2", "a3"]) enter("192.0.2.2", name);
  for (const name of ["b1", "b2"]) enter("192.0.2.3", name);
  expect(enter("192.0.2.4")).toBeDefined();
  expect(sent).toEqual(["a1"]);
  expect(enter("192.0.2.5")).toBeDefined();
  expect(sent).toEqual(["a1", "a2"]);
  // Whoever has as many himself gets nobody's.
  expect(enter("192.0.2.5")).toBeUndefined();
  enter("192.0.2.6");
  expect(sent).toEqual(["a1", "a2", "b1"]);
  expect(enter("192.0.2.7")).toBeUndefined();
});

test("a flood that is turned away is news once a minute", () => {
  const { clock, told, enter } = scene(10, 1);
  enter("192.0.2.1");
  for (let i = 0; i < 3; i += 1) enter("192.0.2.1");
  clock.now = 60_000;
  enter("192.0.2.1");
  expect(told).toEqual(["192.0.2.1", "192.0.2.1 again", "192.0.2.1 again", "192.0.2.1"]);
});

test("who has not logged in when all is stopped is sent away", () => {
  const { crowd, sent, enter } = scene(10, 10);
  enter("192.0.2.1", "in")?.known();
  enter("192.0.2.1", "one");
  enter("192.0.2.2", "two");
  crowd.sendStrangersAway();
  expect(sent).toEqual(["one", "two"]);
});
