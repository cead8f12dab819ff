-- SHA-256 of each part of a large file as it is sent, 32 bytes each; NULL: hashed when they leave.
ALTER TABLE parcels ADD COLUMN part_digests BLOB;
