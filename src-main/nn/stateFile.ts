import { openAtomic } from '../base/files.ts'
import { formatError } from '../base/errors.ts'
import { openSafetensors, safetensorsHeader } from '../formats/safetensors.ts'
import { openFile } from '../formats/source.ts'
import type { Parameter, Parameters, Slot } from './parameters.ts'
import { slots } from './parameters.ts'

interface StreamedTensor {
  name: string
  shape: readonly number[]
  chunks(): Iterable<Float32Array>
}

/** Streams tensors into a safetensors file that appears complete or not at all. */
function writeTensors(path: string, tensors: readonly StreamedTensor[], metadata: Record<string, string>): void {
  const file = openAtomic(path)
  try {
    file.write(
      safetensorsHeader(
        tensors.map(({ name, shape }) => ({ name, dtype: 'float32', shape: [...shape] })),
        metadata,
      ),
    )
    for (const { chunks } of tensors)
      for (const numbers of chunks()) file.write(new Uint8Array(numbers.buffer, numbers.byteOffset, numbers.byteLength))
  } catch (error) {
    file.discard()
    throw error
  }
  file.commit()
}

/** Writes the true values under their published names, for other tools and for inference. */
export function saveModel(path: string, parameters: Iterable<Parameter>, metadata: Record<string, string> = {}): void {
  const tensors = [...parameters].flatMap((parameter) =>
    [parameter.name, ...parameter.also].map((name) => ({
      name,
      shape: parameter.shape,
      *chunks() {
        for (const stored of parameter.download('value'))
          yield parameter.scale === 1 ? stored : stored.map((x) => x * parameter.scale)
      },
    })),
  )
  writeTensors(path, tensors, metadata)
}

/** Reads what `saveModel` wrote into parameters of the same names and shapes; returns the metadata. */
export function loadModel(path: string, parameters: Parameters): Record<string, string> {
  const file = openSafetensors(openFile(path))
  try {
    parameters.load(file.arrays, path)
    return file.metadata
  } finally {
    file.close()
  }
}

const slotsOf = ({ trained }: Parameter): readonly Slot[] => (trained ? slots : ['value'])

/** Writes stored values, scales and moments bit for bit, so that training goes on as if it had never stopped. */
export function saveTraining(path: string, parameters: Parameters, state: unknown): void {
  const tensors = [...parameters].flatMap((parameter) =>
    slotsOf(parameter).map((slot) => ({
      name: `${slot}/${parameter.name}`,
      shape: parameter.shape,
      chunks: () => parameter.download(slot),
    })),
  )
  const scales = Object.fromEntries([...parameters].map(({ name, scale }) => [name, scale]))
  writeTensors(path, tensors, { scales: JSON.stringify(scales), state: JSON.stringify(state) })
}

/** Reads what `saveTraining` wrote; returns the state that was given to it. */
export function loadTraining(path: string, parameters: Parameters): unknown {
  const file = openSafetensors(openFile(path))
  try {
    const arrays = new Map(file.arrays.map((array) => [array.name, array]))
    const { scales, state } = file.metadata
    if (!scales || !state)
      throw formatError(path, 'metadata', 'scales and state', 'none', 'It is not a training checkpoint.')
    const byName = JSON.parse(scales) as Record<string, number>
    for (const parameter of parameters) {
      for (const slot of slotsOf(parameter)) {
        const array = arrays.get(`${slot}/${parameter.name}`)
        if (`${array?.shape}` !== `${parameter.shape}`)
          throw formatError(path, `${slot}/${parameter.name}`, `[${parameter.shape}]`, `[${array?.shape}]`)
        parameter.upload(slot, (start, count) => array!.readRows(start, start + count).data as Float32Array)
      }
      parameter.scale = byName[parameter.name]
    }
    return JSON.parse(state)
  } finally {
    file.close()
  }
}
