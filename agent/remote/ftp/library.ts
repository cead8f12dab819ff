/** Of the library what is used: a package reads it when a server is a source, and not before (installers/bundle.ts). */
export type * from "basic-ftp";
// biome-ignore lint/performance/noBarrelFile: what of it is used stands here, and nowhere else
export { FTPContext, FTPError } from "basic-ftp";
export { connectForPassiveTransfer, parseEpsvResponse, parsePasvResponse } from "basic-ftp/dist/transfer.js";
