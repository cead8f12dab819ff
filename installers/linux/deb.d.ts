import { type LinuxProduct } from "./product.ts";
export declare const debName: ({
  name,
  version,
  arch,
}: Pick<LinuxProduct, "name" | "version" | "arch">) => string;
/** Makes `out`. `scratch`: an empty folder on the file system of the executable. */
export declare function makeDeb(product: LinuxProduct, out: string, scratch: string): Promise<void>;
