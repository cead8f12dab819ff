/** Of the SDK what is used, and no more: a package holds only that, and reads it when a bucket is a source (installers/bundle.ts). */
export type * from "@aws-sdk/client-s3";
// biome-ignore lint/performance/noBarrelFile: what of it is used stands here, and nowhere else
export {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CopyObjectCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  GetBucketVersioningCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  ListObjectVersionsCommand,
  S3Client,
  UploadPartCommand,
  UploadPartCopyCommand,
} from "@aws-sdk/client-s3";
