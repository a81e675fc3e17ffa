import { readdirSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { runMutations } from './mutation/harness.ts'

const folder = new URL('mutation/formats/', import.meta.url)
const count = 1_000

describe(`${count} mutated files per format end in a typed error or a correct read`, () => {
  it.each(readdirSync(folder).sort())('%s', async (file) => {
    const { outcomes, byKind, failures, grown, seconds } = await runMutations(new URL(file, folder).href, count)
    const kinds = Object.entries(byKind).map(([kind, row]) => `${kind} ${row.typed ?? 0}/${row.correct ?? 0}`)
    console.log(
      `${file.replace('.ts', '')}: ${outcomes.typed ?? 0} typed errors, ${outcomes.correct ?? 0} correct reads, ` +
        `${failures.length} failures; peak +${(grown / 2 ** 20).toFixed(1)} MiB, ${seconds.toFixed(1)} s ` +
        `(typed/correct by kind: ${kinds.join(', ')})`,
    )
    expect(failures).toEqual([])
    expect(Object.values(byKind.structure).reduce((a, b) => a + b, 0)).toBe(count / 2)
    // A test in which nothing fails, or nothing passes, would show nothing.
    expect(outcomes.typed).toBeGreaterThan(count / 20)
    expect(outcomes.correct).toBeGreaterThan(count / 100)
  })
})

it('the harness notices crashes, hangs, memory, untyped and vague errors, and wrong data', async () => {
  const { outcomes, failures } = await runMutations(new URL('mutation/misbehaving.ts', import.meta.url).href, 16)
  expect(failures.map(({ index, outcome }) => [index, outcome])).toEqual([
    [4, 'untyped'],
    [6, 'vague'],
    [8, 'memory'],
    [10, 'crash'],
    [12, 'hang'],
    [14, 'wrong'],
  ])
  expect(outcomes).toMatchObject({ typed: 1, correct: 9 })
})
