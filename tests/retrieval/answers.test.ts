import { expect, it } from 'vitest'
import { Random } from '../../src-main/nn/random.ts'
import { answerQueries } from '../../src-main/retrieval/answers.ts'
import { expectedRank, rankQueries, retrievalTask } from '../../src-main/retrieval/pools.ts'

const random = new Random(7)
const [trials, images] = [40, 20]
const similarity = {
  trials,
  images,
  values: Float32Array.from({ length: trials * images }, () => random.uniform()),
  ownImage: Int32Array.from({ length: trials }, (_, i) => i >> 1),
}

it.each(['image', 'brain'] as const)('%s: the best candidates in order, the own one marked', (direction) => {
  const task = retrievalTask(similarity, direction)
  const answers = answerQueries(task, 5, new Random(1))
  expect(answers.map(({ rank }) => rank)).toEqual(rankQueries(task).map(expectedRank))
  for (const { query, rank, found } of answers) {
    const row = task.values.subarray(query * images, (query + 1) * images)
    expect(found.map((f) => f.similarity)).toEqual([...row].sort((a, b) => b - a).slice(0, 5))
    expect(found.map((f) => row[f.candidate])).toEqual(found.map((f) => f.similarity))
    expect(found.findIndex((f) => f.correct)).toBe(rank <= 5 ? rank - 1 : -1)
  }
})

it('a small pool holds the own candidate and otherwise the same ones for every query', () => {
  const task = retrievalTask(similarity, 'image')
  const answers = answerQueries(task, images, new Random(1), 6)
  const others = answers.map(({ query, found }) => {
    expect(found).toHaveLength(6)
    expect(found.filter((f) => f.correct).map((f) => f.candidate)).toEqual([task.own[query]])
    return found.filter((f) => !f.correct).map((f) => f.candidate)
  })
  expect(new Set(others.flat()).size).toBe(6)
  expect(answerQueries(task, images, new Random(1), 6)).toEqual(answers)
  expect(answerQueries(task, images, new Random(2), 6)).not.toEqual(answers)
  expect(() => answerQueries(task, 1, random, 21)).toThrow(/from 1 to the 20 distinct test images, found 21/)
})
