import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['tests/**/*.test.ts'],
    // TensorFlow loads once per process, so each file gets a process of its own.
    pool: 'forks',
    testTimeout: 60_000,
    reporters: ['default', './scripts/countReporter.ts'],
  },
})
