import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    exclude: ['test/interop/**', 'test/reliability/**'],
    testTimeout: 30_000,
    // When a condition that is waited for will not come any more, on a machine that is busy with other things too.
    expect: { poll: { timeout: 20_000, interval: 20 } },
    hookTimeout: 60_000,
    // The runtimes set process.env and load modules by path: each test file has a process of its own.
    pool: 'forks',
    // One for each processor: the default leaves one of them alone, and most files wait for programs that they start.
    maxWorkers: '100%',
  },
})
