import { MindEyeError } from '../base/errors.ts'
import { openPack, packFingerprint } from '../models/pack.ts'
import type { Networks } from '../training/encoder.ts'
import { networksOf } from '../training/encoder.ts'
import type { TrainingConfig } from '../training/fields.ts'
import { builtInPack } from '../workspace/index.ts'
import type { Workspace } from '../workspace/index.ts'

/** The pack that a run was started with, as `run.json` keeps it. */
export interface RunPack {
  id: string
  folder: string
  fingerprint: string
}

/** A registered pack for a new run; throws when it is not there or has changed since it was registered. */
export function choosePack(workspace: Workspace, id: string): RunPack {
  const { folder, fingerprint } = workspace.packs.get(id)
  const pack = { id, folder, fingerprint }
  checkUnchanged(pack)
  return pack
}

/** A run's pack where it lies now: the one that comes with the program may have moved with it. */
export function located(pack: RunPack): RunPack {
  const { id, fingerprint, folder } = builtInPack()
  return pack.id === id && pack.fingerprint === fingerprint ? { ...pack, folder } : pack
}

/** The networks that a run needs from its pack, which must still be what it was when the run began. */
export function runNetworks(training: TrainingConfig, pack: RunPack | undefined): Networks {
  if (pack) checkUnchanged(pack)
  return networksOf(training, pack && openPack(pack.folder))
}

function checkUnchanged({ id, folder, fingerprint }: RunPack): void {
  openPack(folder) // throws when nothing is there
  if (packFingerprint(folder) === fingerprint) return
  throw new MindEyeError({
    kind: 'state',
    where: `pack ${id}`,
    expected: 'the files that were registered',
    found: `other ones in ${folder}`,
    fix: `Put the files back; or register what is there now with \`mindeye pack remove ${id}\` and \`mindeye pack add\`, and start a new run.`,
  })
}
