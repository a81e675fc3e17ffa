import { defineConfig } from 'vitest/config'

// TensorFlow loads once per process, so each file gets a process of its own.
const shared = { pool: 'forks', testTimeout: 60_000 } as const

export default defineConfig({
  test: {
    reporters: ['default', './scripts/countReporter.ts'],
    projects: [
      { test: { ...shared, name: 'main', include: ['tests/**/*.test.ts'] } },
      // What computes must give the same on the plain backend, which runs where TensorFlow does not load.
      {
        test: {
          ...shared,
          name: 'plain backend',
          include: ['tests/{parity,nn}/**/*.test.ts'],
          env: { MINDEYE_BACKEND: 'cpu' },
        },
      },
    ],
  },
})
