/** Of Azure's library what is used, and no more: a package holds only that, and reads it when a container is a source (installers/bundle.ts). */
// biome-ignore lint/performance/noBarrelFile: what of it is used stands here, and nowhere else
export {
  AnonymousCredential,
  BlobClient,
  newPipeline,
  StorageSharedKeyCredential,
} from "@azure/storage-blob";
