/** Buckets of any S3: Amazon's, Ceph, MinIO, Google's through its S3 interface. */
import type { Kind } from "./kind.ts";
import { type S3Settings, s3Settings } from "./s3/settings.ts";

export const s3: Kind<S3Settings> = {
  name: "s3",
  settings: s3Settings,

  where: (settings) => `s3://${settings.bucket}/${folderOf(settings.prefix)}`,

  address({ endpoint, region }) {
    const url = endpoint === undefined ? undefined : new URL(endpoint);
    if (url !== undefined)
      return {
        host: url.hostname.replace(/^\[|\]$/g, ""),
        port: Number(url.port) || (url.protocol === "http:" ? 80 : 443),
      };
    // The isolated regions have names of their own.
    if (region.includes("-iso")) return undefined;
    return { host: `s3.${region}.amazonaws.com${region.startsWith("cn-") ? ".cn" : ""}`, port: 443 };
  },

  certified: ({ endpoint }) => !endpoint?.startsWith("http:"),

  // One slash at the beginning of a target means the bucket's root: a prefix that begins with one needs a second.
  root({ prefix }) {
    const folder = folderOf(prefix);
    return folder.startsWith("/") ? `/${folder}` : folder;
  },

  async connect(settings, tools) {
    const { connectS3 } = await import("./s3/remote.ts");
    return connectS3({ ...settings, prefix: folderOf(settings.prefix) }, tools);
  },
};

/** A prefix is a folder: `exports` never means `exports-old/` too. */
function folderOf(prefix: string): string {
  return prefix === "" || prefix.endsWith("/") ? prefix : `${prefix}/`;
}
