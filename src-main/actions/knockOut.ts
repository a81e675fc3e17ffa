import * as v from 'valibot'
import type { Finding, KnockOut } from '../reconstruction/knockOut.ts'
import { defineAction } from './action.ts'
import { finishedRun } from './finishedRun.ts'
import { repeatsField, runPlace } from './runPlace.ts'
import { formatTable } from './table.ts'

export const knockOutAction = defineAction({
  name: 'knock-out',
  summary: 'See what a held-out trial still finds when the voxels of some areas are put to their mean.',
  input: v.object({
    workspace: v.pipe(v.string(), v.description('the workspace folder')),
    run: v.pipe(v.string(), v.description('id of the run')),
    trial: v.pipe(v.number(), v.integer(), v.description('a held-out trial, by its row in the trial table, from 0')),
    without: v.pipe(
      v.array(v.string()),
      v.minLength(1, 'at least one area'),
      v.description('areas to switch off, by name, repeatable'),
    ),
    repeats: repeatsField,
  }),
  async run(ctx, { workspace: path, run: id, trial, without, repeats }, { signal }): Promise<KnockOut> {
    const workspace = await ctx.workspace(path)
    const run = { ...runPlace(workspace, finishedRun(workspace, id)), repeats }
    return ctx.engine().call('knockOut', { run, trial, without }, { signal })
  },
  format({ trial, stimulus, pool, silenced, voxels, all, without }) {
    const row = (name: string, { rank, similarity, lead, best }: Finding) => [
      name,
      `${rank} of ${pool}`,
      similarity.toFixed(3),
      lead.toFixed(3),
      best.map((found) => found.stimulus).join(' '),
    ]
    return [
      `trial ${trial} · ${stimulus} · ${silenced} of ${voxels} voxels at their mean`,
      '',
      formatTable(
        ['VOXELS', 'RANK', 'SIMILARITY', 'LEAD', 'FINDS'],
        [row('all', all), row('without these areas', without)],
      ),
    ].join('\n')
  },
})
