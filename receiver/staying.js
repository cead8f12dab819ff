/** What `serve` asks of V8 and of the C library. */
export const STAYING = {
  flags: ["--max-semi-space-size=2", "--semi-space-growth-factor=1", "--max-old-space-size=1024"],
  env: {
    MALLOC_ARENA_MAX: "2",
    // What is as large as a password's 19 MiB is given back at once, not kept for the next one.
    MALLOC_MMAP_THRESHOLD_: "4194304",
    // Waiting for the disk takes threads, not processors.
    UV_THREADPOOL_SIZE: "16",
  },
};
