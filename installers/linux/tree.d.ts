import type { LinuxProduct } from "./product.ts";
/** Makes the tree below `root`. Everything is root's and readable for all; modes do not depend on who packs. */
export declare function layOut(root: string, product: LinuxProduct): void;
export declare function put(file: string, text: string, mode?: number): void;
