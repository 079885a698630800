import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    testTimeout: 30_000,
    // Real servers and bounded memory are measured: one file at a time keeps them apart.
    fileParallelism: false,
  },
});
