import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    testTimeout: 30_000,
    // A program that a test starts may be slow to do so, on a machine that is busy.
    expect: { poll: { timeout: 20_000 } },
    // Real servers and bounded memory are measured: one file at a time keeps them apart.
    fileParallelism: false,
  },
});
