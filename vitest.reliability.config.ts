import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/reliability/**/*.test.ts'],
    globalSetup: 'test/reliability/print-summary.ts',
    testTimeout: 1_800_000,
    hookTimeout: 60_000,
    pool: 'forks',
    // Each promise has the machine for itself; its line is printed as it is.
    fileParallelism: false,
    disableConsoleIntercept: true,
  },
})
