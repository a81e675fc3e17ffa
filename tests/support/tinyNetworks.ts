import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { AutoencoderKl, autoencoderConfig } from '../../src-main/models/autoencoderKl.ts'
import { ConvNeXt } from '../../src-main/models/convNeXt.ts'
import { Parameters } from '../../src-main/nn/parameters.ts'
import { Random } from '../../src-main/nn/random.ts'
import { saveModel } from '../../src-main/nn/stateFile.ts'

/** A diffusers folder of an autoencoder with random weights that shrinks pictures eight times, as Stable Diffusion's does. */
export function saveTinyAutoencoder(folder: string): void {
  mkdirSync(folder, { recursive: true })
  const config = {
    _class_name: 'AutoencoderKL',
    block_out_channels: [4, 4, 4, 4],
    layers_per_block: 1,
    norm_num_groups: 2,
  }
  const path = join(folder, 'config.json')
  writeFileSync(path, JSON.stringify(config))
  const parameters = new Parameters()
  new AutoencoderKl(parameters, autoencoderConfig(config, path))
  parameters.initialise(new Random(5))
  saveModel(join(folder, 'diffusion_pytorch_model.safetensors'), parameters)
  parameters.dispose()
}

/** A teacher ConvNeXt with random weights and tokens of 12 numbers. */
export function saveTinyTeacher(path: string): void {
  const teacher = new ConvNeXt({ depths: [1, 1, 1, 1], dims: [4, 8, 8, 8], projector: [12, 12, 12] })
  teacher.parameters.initialise(new Random(6))
  saveModel(path, teacher.parameters)
  teacher.dispose()
}
