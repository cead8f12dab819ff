/**
 * One set of cases for every door. A case is run at each door that can express what it needs; where one cannot, the
 * list of tests names the case with the door's own reason, so that nothing is left out in silence.
 */
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import type { Site } from "../site/site.ts";
import { ABILITIES, type Ability, type Door } from "./door.ts";
import { Scene } from "./scene.ts";

export interface Case {
  readonly name: string;
  readonly needs?: readonly Ability[];
  /** Why this one case is not for this door, where that is more than an ability; undefined when it is. */
  readonly notAt?: (door: Door) => string | undefined;
  /** `scene`: the door's, shared by all cases; what else a case needs it opens by `room`. */
  run(scene: Scene, room: Room): Promise<void>;
}

/** A further client at the same door, its name made of the door's and this one's. */
export type Room = (name: string) => Promise<Scene>;

export function conform(site: () => Site, doors: readonly Door[], cases: readonly Case[]): void {
  describe.each(doors)("at the door $name", (door) => {
    const rooms: Scene[] = [];
    const room: Room = async (name) => {
      const scene = await Scene.open(site(), door, `${door.name}-${name}`);
      rooms.push(scene);
      return scene;
    };
    let scene: Scene;
    beforeAll(async () => {
      scene = await Scene.open(site(), door, door.name);
    });
    afterEach(async () => {
      await Promise.all([scene.dismiss(), ...rooms.splice(0).map((one) => one.close())]);
    });
    afterAll(async () => await scene?.close());

    for (const one of cases) {
      const reason = reasonAgainst(door, one);
      if (reason === undefined) test(one.name, async () => await one.run(scene, room));
      else test(`${one.name} (not expressible: ${reason})`, () => expect(reason).toMatch(/\w+ \w+ \w+/));
    }

    test("whatever this door calls otherwise has its reason", () => {
      for (const { because } of Object.values(door.otherwise)) expect(because).toMatch(/\w+ \w+ \w+/);
      for (const ability of Object.keys(door.cannot)) expect(ABILITIES).toHaveProperty(ability);
    });
  });
}

function reasonAgainst(door: Door, { needs = [], notAt }: Case): string | undefined {
  const missing = needs.find((ability) => door.cannot[ability] !== undefined);
  return missing === undefined ? notAt?.(door) : door.cannot[missing];
}
