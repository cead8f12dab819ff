/** Who looks: what they may do decides which buttons there are. The receiver decides again. */
import { createContext, use } from "react";
import type { Me } from "../answers.ts";
import { mayDo, type Role } from "../calls.ts";

const ViewerContext = createContext<Me | undefined>(undefined);

export function Viewer({ value, children }: { readonly value: Me; readonly children: React.ReactNode }) {
  return <ViewerContext value={value}>{children}</ViewerContext>;
}

export function useViewer(): Me {
  const me = use(ViewerContext);
  if (me === undefined) throw new Error("nobody is signed in here");
  return me;
}

/** Shows what is inside only to those who may do it. */
export function For({ may, children }: { readonly may: Role; readonly children: React.ReactNode }) {
  return mayDo(useViewer().role, may) ? children : null;
}
