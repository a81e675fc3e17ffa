import { createPinia, setActivePinia } from 'pinia'
import { beforeEach, expect, test, vi } from 'vitest'
import { useSelection } from '../../src-renderer/shared/selection.ts'
import { useTrialAxis } from '../../src-renderer/shared/trialAxis.ts'

// Modules that ask the app want to know where the page is.
vi.hoisted(() => vi.stubGlobal('location', { href: 'http://127.0.0.1/' }))

beforeEach(() => setActivePinia(createPinia()))

/** Patterns that are means of three trials each, called by their first. */
function ofMeans() {
  const [selection, axis] = [useSelection(), useTrialAxis()]
  selection.selectSubject('s')
  const standIn = (trial: number) => (trial < 9 ? Math.floor(trial / 3) : undefined)
  axis.set({ subject: 's', rows: [0, 3, 6], label: 'held-out trials', standIn })
  return { selection, axis }
}

test('a repeat that was averaged stands at the place of its pattern, and steps go on from there', () => {
  const { selection, axis } = ofMeans()
  selection.selectTrial(5)
  expect(axis.at).toBe(1)
  axis.step(1)
  expect(selection.trial).toBe(6)
  selection.selectTrial(4)
  axis.step(-1)
  expect(selection.trial).toBe(0)
})

test('a trial of no pattern stands nowhere; steps begin at the ends', () => {
  const { selection, axis } = ofMeans()
  selection.selectTrial(9)
  expect(axis.at).toBe(-1)
  axis.step(-1)
  expect(selection.trial).toBe(6)
})

test('of another subject the places mean nothing', () => {
  const { selection, axis } = ofMeans()
  selection.selectSubject('other')
  selection.selectTrial(3)
  expect([axis.at, axis.rows.length]).toEqual([-1, 0])
})
