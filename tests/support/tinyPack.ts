import { cpSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fixtureCases } from './fixtures.ts'

/** Sizes of the networks of `writeTinyPack`. */
export const tinyPack = { tokens: 17, width: 12, latentSide: 8, latentChannels: 4, pictureSide: 32 } as const

const parts = {
  image_encoder: 'clip_vision_p8',
  image_unet: 'vd_image_unet_c16_32',
  vae: 'vae_c8_16_16',
  low_level_vae: 'vae_c8_16_16',
} as const

/** A pack in the public layout with tiny random networks that go together: what the original libraries saved. */
export function writeTinyPack(folder: string): void {
  for (const [part, name] of Object.entries(parts)) {
    const [fixture] = fixtureCases('hf_models', (candidate) => candidate === name)
    cpSync(join(fixture.folder, fixture.config.folder as string), join(folder, part), { recursive: true })
  }
  mkdirSync(join(folder, 'scheduler'))
  const schedule = { beta_schedule: 'scaled_linear', beta_start: 0.00085, beta_end: 0.012, num_train_timesteps: 1000 }
  writeFileSync(join(folder, 'scheduler', 'scheduler_config.json'), JSON.stringify(schedule))
}
