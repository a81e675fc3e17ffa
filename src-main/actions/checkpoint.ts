import * as v from 'valibot'
import { resolve } from 'node:path'
import type { Conversion } from '../training/published/convert.ts'
import type { CheckpointInspection, CheckpointVerdict } from '../training/published/report.ts'
import { defineAction, pathField } from './action.ts'
import { formatTable } from './table.ts'

export type CheckpointResult =
  | ({ did: 'inspect' } & CheckpointInspection)
  | ({ did: 'verify' } & CheckpointVerdict)
  | ({ did: 'convert' } & Conversion)

/** Looks into a file of weights from elsewhere, checks it against the network it belongs to, or writes it as safetensors. */
export const checkpointAction = defineAction({
  name: 'checkpoint',
  summary: 'Say what a file of weights holds, verify it, or convert it to safetensors; nothing in it is ever run.',
  input: v.object({
    do: v.pipe(v.picklist(['inspect', 'convert', 'verify']), v.description('what to do')),
    file: v.pipe(
      v.string(),
      v.description('weights of PyTorch (.pth, .pt, .ckpt, .bin) or .safetensors, or the .index.json of shards'),
      pathField(),
    ),
    out: v.optional(
      v.pipe(
        v.string(),
        v.description('convert: a new folder, or the .safetensors file to write; beside the file if not given'),
        pathField(),
      ),
    ),
    dtype: v.optional(
      v.pipe(
        v.picklist(['keep', 'float32', 'float16', 'bfloat16']),
        v.description('convert: what numbers with a fraction become'),
      ),
      'keep',
    ),
  }),
  positional: ['do', 'file'],
  async run(ctx, { do: did, file, out, dtype }, { signal, progress }): Promise<CheckpointResult> {
    const path = resolve(file)
    const options = { signal, onProgress: progress }
    if (did === 'inspect') return { did, ...(await ctx.reader().call('inspectCheckpoint', { path }, options)) }
    if (did === 'verify') return { did, ...(await ctx.reader().call('verifyCheckpoint', { path }, options)) }
    const target = { path, out: out === undefined ? undefined : resolve(out), dtype }
    return { did, ...(await ctx.reader().call('convertCheckpoint', target, options)) }
  },
  format(result) {
    if (result.did === 'inspect') return describe(result)
    if (result.did === 'verify') return judge(result)
    const { title, tensors, weights, config, bytes, leftOut } = result
    return [
      title,
      `wrote ${tensors} tensors, ${megabytes(bytes)}, to ${weights}`,
      `wrote ${config}`,
      ...(leftOut ? [`left out ${leftOut} tensors beside the model, such as the optimizer's`] : []),
    ].join('\n')
  },
  exitCode: (result) => (result.did === 'verify' && !result.ok ? 1 : 0),
})

const megabytes = (bytes: number) => `${(bytes / 1e6).toLocaleString('en', { maximumFractionDigits: 1 })} MB`
const counted = (count: number) => count.toLocaleString('en')
const axes = (shape: readonly number[]) => `[${shape.join(', ')}]`

function describe(found: CheckpointInspection): string {
  const { title, format, bytes, stateDict, prefix, tensors, parameters, dtypes, epoch, losses, inert, others } = found
  const place = [stateDict && `under ${stateDict}`, prefix && `without ${prefix}`].filter(Boolean).join(', ')
  const types = Object.entries(dtypes).map(([dtype, count]) => `${dtype} (${count})`)
  const loss = Object.entries(losses ?? {}).map(
    ([name, { last, count }]) => `${name} ${last.toPrecision(5)} (${count})`,
  )
  const lines = [
    title,
    `${format}, ${megabytes(bytes)}, ${tensors} tensors${place ? ` ${place}` : ''}, ${counted(parameters)} parameters`,
    '',
    formatTable(
      ['PART', 'TENSORS', 'PARAMETERS'],
      found.parts.map((part) => [part.name, `${part.tensors}`, `${part.parameters}`]),
    ),
    '',
    `element types: ${types.join(', ')}`,
    ...(epoch === undefined ? [] : [`epoch: ${epoch}`]),
    ...(loss.length ? [`last losses (of how many): ${loss.join(', ')}`] : []),
    ...Object.entries(found.config).map(([name, value]) => `${name}: ${JSON.stringify(value)}`),
    ...others.map(({ name, tensors }) => `beside the model: ${name}, ${tensors} tensors`),
    ...inert.map(({ path, className }) => `not made, kept inert: ${path} (${className})`),
  ]
  return lines.join('\n')
}

/** Lines of a list that may be long. */
const MOST = 50

function judge({ title, ok, known, tensors, missing, extra, misshaped, notFinite }: CheckpointVerdict): string {
  const problems = [
    ...missing.map(({ name, shape }) => `missing: ${name} ${axes(shape)}`),
    ...misshaped.map(
      ({ name, expected, found }) => `misshaped: ${name} is ${axes(found)} instead of ${axes(expected)}`,
    ),
    ...extra.map(({ name, shape }) => `extra: ${name} ${axes(shape)}`),
    ...notFinite.map(
      ({ name, nan, infinite }) => `not finite: ${name} has ${nan} NaN and ${infinite} infinite numbers`,
    ),
    ...(known ? [] : ['not compared: no network is known to which these names belong']),
  ]
  const more = problems.length > MOST ? [`… and ${problems.length - MOST} more`] : []
  const verdict = ok
    ? `all ${tensors} tensors are as they should be, every number is finite`
    : `${problems.length} ${problems.length === 1 ? 'problem' : 'problems'}`
  return [title, verdict, ...problems.slice(0, MOST), ...more].join('\n')
}
