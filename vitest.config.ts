import { defineConfig } from 'vitest/config'
import { whyNotElectron } from './tests/browser/electronProgram.ts'

// TensorFlow loads once per process, so each file gets a process of its own: as many at once as there are processors.
const shared = {
  ...{ pool: 'forks', testTimeout: 60_000, hookTimeout: 60_000 },
  ...{ maxWorkers: '100%', sequence: { groupOrder: 0 } },
} as const

// A page, its server and its engine already take more than one processor.
const clicking = {
  ...shared,
  ...{ maxWorkers: 1, sequence: { groupOrder: 1 } },
  include: ['tests/browser/**/*.test.ts'],
  testTimeout: 180_000,
  hookTimeout: 120_000,
  expect: { poll: { timeout: 20_000 } }, // the renderer may be a program, and the machine busy
}
const noElectron = whyNotElectron()
if (noElectron) console.warn(`Electron's window is not tested: ${noElectron}`)

export default defineConfig({
  test: {
    reporters: ['default', './scripts/countReporter.ts'],
    projects: [
      { test: { ...shared, name: 'main', include: ['tests/**/*.test.ts'], exclude: ['tests/browser/**'] } },
      // What people click, in Chromium on the Node host.
      { test: { ...clicking, name: 'browser', globalSetup: ['tests/browser/buildPage.ts'] } },
      // The same in the app's own window.
      ...(noElectron
        ? []
        : [
            {
              test: {
                ...clicking,
                name: 'electron',
                env: { MINDEYE_BROWSER: 'electron' },
                globalSetup: ['tests/browser/buildElectron.ts'],
              },
            },
          ]),
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
