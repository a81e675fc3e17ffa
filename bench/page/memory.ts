/** What the page and the app behind it hold after many switches of place, subject and trial. */
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import type { CDPSession, Page } from 'playwright-core'

/** Garbage collected, everything selected as at first. */
export interface Held {
  switches: number
  /** JavaScript's heap of the page, MB. */
  heapMb: number
  /** Nodes of the document and what is still kept of others. */
  nodes: number
  listeners: number
  /** WebGL objects that are alive. */
  textures: number
  buffers: number
  /** JavaScript's heap of the app, MB; this script's own is in it. */
  appHeapMb: number
  appRssMb: number
}

/** The heap of a page settles, as its engine compiles what is used often and the kept maps and undo steps fill: not at once. */
const MOST_GROWTH = { heapMb: 1.5, nodes: 300, listeners: 60, textures: 4, buffers: 4, appHeapMb: 3 } as const

/**
 * Switches places, subjects (every fourth time) and trials, and looks after 40 switches and after each quarter.
 *
 * @param page at the Data place, its subjects listed
 */
export async function heldAfterSwitches(page: Page, switches: number, say: (line: string) => void): Promise<Held[]> {
  const session = await page.context().newCDPSession(page)
  const subjects = page.locator('nav[aria-label="Subjects"] button.main')
  const quarter = Math.ceil(switches / 4)
  const held: Held[] = []
  for (let at = 1; at <= switches; at++) {
    await page.evaluate((to) => (location.hash = `#/${to}`), ['data', 'train', 'decode', 'data'][at % 4])
    await page.waitForTimeout(60)
    if (at % 4 === 3) {
      await subjects.nth((at >> 2) % 2).click()
      for (let step = 0; step < 3; step++) await page.keyboard.press('j')
      await page.waitForTimeout(120)
    }
    if (at === 40 || at % quarter === 0) {
      await page.evaluate(() => (location.hash = '#/data'))
      await subjects.first().click()
      await page.waitForTimeout(2000)
      held.push({ switches: at, ...(await look(session)) })
      say(JSON.stringify(held.at(-1)))
    }
  }
  return held
}

/** What of `held` has grown in the second half of the switches by more than settles; empty where nothing leaks. */
export function leaks(held: readonly Held[]): string[] {
  const last = held.at(-1)!
  const half = held.find(({ switches }) => switches >= last.switches / 2)!
  return Object.entries(MOST_GROWTH).flatMap(([name, most]) => {
    const [before, after] = [half, last].map((mark) => mark[name as keyof typeof MOST_GROWTH])
    return after - before > most ? [`${name}: ${before} after ${half.switches}, ${after} after ${last.switches}`] : []
  })
}

async function look(session: CDPSession): Promise<Omit<Held, 'switches'>> {
  for (let i = 0; i < 2; i++) await session.send('HeapProfiler.collectGarbage')
  const { usedSize } = await session.send('Runtime.getHeapUsage')
  const { nodes, jsEventListeners: listeners } = await session.send('Memory.getDOMCounters')
  collectOwnGarbage()
  const { heapUsed, rss } = process.memoryUsage()
  return {
    ...{ heapMb: megabytes(usedSize), nodes, listeners },
    ...{ textures: await countOf(session, 'WebGLTexture'), buffers: await countOf(session, 'WebGLBuffer') },
    ...{ appHeapMb: megabytes(heapUsed), appRssMb: megabytes(rss) },
  }
}

/** How many objects of a class the page has. */
export async function countOf(session: CDPSession, name: string): Promise<number> {
  const objectGroup = 'counted'
  const { result } = await session.send('Runtime.evaluate', { expression: `${name}.prototype`, objectGroup })
  const { objects } = await session.send('Runtime.queryObjects', { prototypeObjectId: result.objectId!, objectGroup })
  const length = { objectId: objects.objectId!, functionDeclaration: 'function () { return this.length }' }
  const counted = await session.send('Runtime.callFunctionOn', { ...length, returnByValue: true })
  await session.send('Runtime.releaseObjectGroup', { objectGroup })
  return counted.result.value as number
}

function collectOwnGarbage(): void {
  setFlagsFromString('--expose-gc')
  ;(runInNewContext('gc') as () => void)()
}

const megabytes = (bytes: number): number => Math.round(bytes / 1e5) / 10
