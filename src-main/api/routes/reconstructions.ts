import { Hono } from 'hono'
import type { Context } from 'hono'
import { existsSync, readFileSync } from 'node:fs'
import * as v from 'valibot'
import { finishedRun } from '../../actions/finishedRun.ts'
import type { Kind, SetRecord, TrialResult } from '../../reconstruction/sets.ts'
import { findSet, kinds, listSets, picturePath, readTrial, watchPath } from '../../reconstruction/sets.ts'
import { queryOf, wholeNumber } from '../query.ts'
import type { Services } from '../services.ts'
import { tagged } from '../tagged.ts'

/** A set as a page sees it: it knows no folders. */
export type ListedSet = Omit<SetRecord, 'folder'>
export type { Kind, TrialResult }

const pictureQuery = v.object({
  kind: v.picklist(kinds),
  candidate: v.optional(wholeNumber()),
  v: v.optional(v.string()),
})

/** Reconstructions of finished runs: their sets, what is known of a trial, its pictures, and the one that is being made. */
export const reconstructionRoutes = ({ workspace }: Services) => {
  const runFolder = (c: Context) => workspace.runs.folderOf(finishedRun(workspace, c.req.param('run')!).id)
  const setOf = (c: Context) => findSet(runFolder(c), c.req.param('set')!)
  const trialOf = (c: Context) => Number(c.req.param('trial'))
  const now = { 'Cache-Control': 'no-store' }

  return new Hono()
    .get('/:run', (c) =>
      c.json<ListedSet[]>(
        listSets(runFolder(c)).map(({ folder: _, ...set }) => set),
        200,
        now,
      ),
    )
    .get('/:run/watch', (c) => {
      const path = watchPath(runFolder(c))
      if (!existsSync(path)) return c.body(null, 204)
      return new Response(readFileSync(path), { headers: { ...now, 'Content-Type': 'image/png' } })
    })
    .get('/:run/:set/:trial{\\d+}', (c) => c.json<TrialResult>(readTrial(setOf(c), trialOf(c)), 200, now))
    .get('/:run/:set/:trial{\\d+}/picture', (c) => {
      const { kind, candidate } = queryOf(c, pictureQuery)
      const path = picturePath(setOf(c), trialOf(c), kind, candidate)
      const { run, set, trial } = c.req.param()
      const tag = [run, set, trial, kind, candidate].join('-')
      return tagged(c, 'image/png', tag, async () => new Uint8Array(readFileSync(path)))
    })
}
