/** Parts of the demo pack as files: config.json and half-precision weights. */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { writeFileAtomic } from '../../src-main/base/files.ts'
import type { NdArray } from '../../src-main/formats/array.ts'
import { encodeSafetensors } from '../../src-main/formats/safetensors.ts'
import type { Parameter, Parameters } from '../../src-main/nn/parameters.ts'

/** diffusers' and our own networks have another name for their file than those of transformers. */
export type WeightsName = 'model' | 'diffusion_pytorch_model'

/** Writes config.json and the weights whose names are wanted. */
export function writePart(
  folder: string,
  json: Record<string, unknown>,
  parameters: Parameters,
  file: WeightsName,
  isWanted: (name: string) => boolean = () => true,
): void {
  mkdirSync(folder, { recursive: true })
  const wanted = [...parameters].filter(({ name }) => isWanted(name))
  writeHalf(join(folder, `${file}.safetensors`), wanted)
  writeJson(join(folder, 'config.json'), json)
}

/** Writes parameters in half precision, under their published names. */
export function writeHalf(path: string, parameters: readonly Parameter[]): void {
  const arrays: Record<string, NdArray> = {}
  for (const parameter of parameters) {
    const { name, shape, scale } = parameter
    const values = [...parameter.download('value')].flatMap((stored) => [...stored])
    const data = Float16Array.from(values, (value) => value * scale)
    arrays[name] = { dtype: 'float16', shape: [...shape], data }
  }
  writeFileAtomic(path, encodeSafetensors(arrays, { format: 'pt' }))
}

export const writeJson = (path: string, json: unknown): void =>
  writeFileAtomic(path, `${JSON.stringify(json, undefined, 2)}\n`)
