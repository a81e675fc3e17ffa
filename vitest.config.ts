import { defineConfig } from 'vitest/config'

// TensorFlow loads once per process, so each file gets a process of its own.
const shared = { pool: 'forks', testTimeout: 60_000 } as const

export default defineConfig({
  test: {
    reporters: ['default', './scripts/countReporter.ts'],
    projects: [
      { test: { ...shared, name: 'main', include: ['tests/**/*.test.ts'], exclude: ['tests/browser/**'] } },
      // What people click, in Chromium on the Node host.
      {
        test: {
          ...shared,
          name: 'browser',
          include: ['tests/browser/**/*.test.ts'],
          globalSetup: ['tests/browser/buildPage.ts'],
          testTimeout: 180_000,
          hookTimeout: 120_000,
        },
      },
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
