/** What `serve` asks of V8 and of the C library. */
export const STAYING = {
  flags: ["--max-semi-space-size=2", "--semi-space-growth-factor=1", "--max-old-space-size=1024"],
  // Waiting for the disk takes threads, not processors.
  env: { MALLOC_ARENA_MAX: "2", UV_THREADPOOL_SIZE: "16" },
};
