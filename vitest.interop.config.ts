import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/interop/**/*.test.ts'],
    runner: './test/interop/helpers/runner.ts',
    // Registries are far away, and fail for moments.
    env: { PIP_RETRIES: '10', PIP_DEFAULT_TIMEOUT: '60', npm_config_fetch_retries: '5' },
    testTimeout: 300_000,
    // When a condition that is waited for will not come any more, on a machine that is busy with other things too.
    expect: { poll: { timeout: 20_000, interval: 20 } },
    hookTimeout: 600_000,
    pool: 'forks',
    // Real servers on two cores: one file after another.
    fileParallelism: false,
  },
})
