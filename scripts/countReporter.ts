import type { Reporter, TestModule } from 'vitest/node'

/**
 * Ends the output with one line `N passed, N failed, N skipped`, which CI reads. A file that fails to load, a hook that fails, an error
 * outside any test and a test that never ended (its process died) count as failed.
 */
export default class CountReporter implements Reporter {
  onTestRunEnd(modules: ReadonlyArray<TestModule>, unhandledErrors: ReadonlyArray<unknown>): void {
    const count = { passed: 0, failed: unhandledErrors.length, skipped: 0, pending: 0 }
    for (const module of modules) {
      for (const part of [module, ...module.children.allSuites()]) count.failed += part.errors().length ? 1 : 0
      for (const test of module.children.allTests()) count[test.result().state]++
    }
    process.stdout.write(`\n${count.passed} passed, ${count.failed + count.pending} failed, ${count.skipped} skipped\n`)
  }
}
