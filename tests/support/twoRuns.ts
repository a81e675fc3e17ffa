import type { ActionContext } from '../../src-main/actions/action.ts'
import { demoSubjectAction } from '../../src-main/actions/demoSubject.ts'
import { trainAction } from '../../src-main/actions/train.ts'
import { validateInput } from '../../src-main/actions/validate.ts'

const quiet = { signal: new AbortController().signal, progress: () => {} }

/** Options of the same small task for two decoders; what they learn is not looked at. */
const task = ['items=stimulus', 'width=16', 'encoderSteps=20', 'encoderPixels=16']
const network = ['pictures=false', 'epochs=6', 'hidden=32', 'projectorHidden=32']

/** A simulated subject with two finished runs that decode the same from the same trials, MindEye's and ridge regression's. */
export async function trainTwo(ctx: ActionContext, workspace: string, images: number) {
  const { subject } = await demoSubjectAction.run(ctx, { workspace, images }, quiet)
  const train = async (preset: string, set: string[]) => {
    const input = await validateInput(trainAction, { workspace, subject, preset, set })
    return (await trainAction.run(ctx, input, quiet)).run
  }
  return { subject, mindeye: await train('small-study', [...task, ...network]), ridge: await train('ridge', task) }
}
