/** What `run` asks of V8 and of the C library: as little memory as it takes to stay for months. */
export const STAYING = {
  flags: [
    "--max-semi-space-size=2",
    "--semi-space-growth-factor=1",
    "--max-old-space-size=1024",
    // The HTTP client's parser is WebAssembly: optimising it takes 10 MiB that are never given back, and saves nothing here.
    "--liftoff-only",
  ],
  // A share that hangs holds a thread for each call: with four of them nothing else would move.
  env: { MALLOC_ARENA_MAX: "2", UV_THREADPOOL_SIZE: "16" },
};
