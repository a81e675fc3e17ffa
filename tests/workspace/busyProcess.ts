import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { MindEyeError } from '../../src-main/base/errors.ts'
import { Workspace } from '../../src-main/workspace/index.ts'

/** A process that uses a workspace without a break, for the tests of sharing and of sudden death. */
const [what, root, ...rest] = process.argv.slice(2)
const workspace = Workspace.open(root)

if (what === 'count') {
  const [run, name, ...wanted] = rest
  for (let i = 0; i < 15; i++) {
    workspace.jobs.add({ action: 'count', input: {} })
    workspace.runs.update(run, { summary: { [`${name}.${i}`]: 1 } })
  }
  for (const id of wanted) {
    try {
      workspace.runs.claim(id)
      workspace.jobs.add({ action: 'claimed', run: id, input: {} })
    } catch (error) {
      if (!(error instanceof MindEyeError)) throw error
    }
  }
  // Whoever claimed must still live while the others try: end when told to.
  console.log('counted')
  for await (const _ of process.stdin);
} else {
  for (let i = 0; ; i++) {
    const id = `s${process.pid}-${i}`
    const staged = workspace.subjects.stage(id)
    writeFileSync(join(staged.folder, 'subject.json'), JSON.stringify({ parts: 4 }))
    for (let p = 0; p < 4; p++) writeFileSync(join(staged.folder, `part${p}.npy`), Buffer.alloc(10_000, p))
    staged.commit()
    const run = workspace.runs.create({ subject: id, preset: 'demo', config: {} })
    workspace.runs.claim(run.id)
    workspace.runs.update(run.id, { summary: { note: 'x'.repeat(20_000) } })
    if (i === 0) console.log('busy')
    if (i % 2) workspace.subjects.remove(id)
    workspace.runs.finish(run.id, 'done')
    workspace.runs.delete(run.id)
  }
}
workspace.close()
