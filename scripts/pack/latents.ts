/** What the denoiser learns from: latents and tokens of the training scenes, by the pack's own autoencoder and encoder. */
import * as tf from '@tensorflow/tfjs-core'
import { createHash } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { writeFileAtomic } from '../../src-main/base/files.ts'
import { toFloat32 } from '../../src-main/formats/elements.ts'
import { encodeSafetensors, openSafetensors } from '../../src-main/formats/safetensors.ts'
import { openFile } from '../../src-main/formats/source.ts'
import type { AutoencoderKl } from '../../src-main/models/autoencoderKl.ts'
import type { ClipVision } from '../../src-main/models/clipVision.ts'
import { loadAutoencoderKl, loadClipVision } from '../../src-main/models/pretrained.ts'
import { clipPixels } from '../../src-main/training/augmentation.ts'
import { latentTargets } from '../../src-main/training/lowLevel.ts'
import type { LatentData } from './denoiser.ts'
import type { Scenes } from './world.ts'
import { pictureBatch } from './world.ts'

const BATCH = 64

/** Numbers of scenes, in batches. */
export function* batches({ scenes }: Scenes, size = BATCH): Iterable<number[]> {
  for (let at = 0; at < scenes.length; at += size)
    yield Array.from({ length: Math.min(size, scenes.length - at) }, (_, i) => at + i)
}

/** Something of every scene, (n, …), from pictures (B, SIDE, SIDE, 3) in [0, 1]. */
export function ofScenes(scenes: Scenes, make: (pictures: tf.Tensor4D) => tf.Tensor): Float32Array {
  const parts = [...batches(scenes)].map((items) =>
    tf.tidy(() => make(pictureBatch(scenes, items))).dataSync<'float32'>(),
  )
  const whole = new Float32Array(parts.reduce((sum, { length }) => sum + length, 0))
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.length
  }
  return whole
}

/** Latents times the scaling factor, and tokens, of scenes. */
export const encodeScenes = (scenes: Scenes, autoencoder: AutoencoderKl, encoder: ClipVision): LatentData => ({
  count: scenes.scenes.length,
  latents: ofScenes(scenes, (pictures) => latentTargets(autoencoder, pictures)),
  tokens: ofScenes(scenes, (pictures) => encoder.embedding(clipPixels(pictures, encoder.config.image))),
})

/** Of the weights that make latents and tokens; the autoencoder's decoder may change. */
function fingerprint(vae: string, tower: string): string {
  const hash = createHash('sha256').update(readFileSync(join(vae, 'config.json')))
  const file = openSafetensors(openFile(join(vae, 'diffusion_pytorch_model.safetensors')))
  for (const array of file.arrays.filter(({ name }) => /^(encoder|quant_conv)\./.test(name)))
    hash.update(toFloat32(array.read()))
  file.close()
  return hash
    .update(readFileSync(join(tower, 'model.safetensors')))
    .digest('hex')
    .slice(0, 16)
}

/** The same by the networks of a pack, kept in the cache for the next time. */
export function latentsOf(scenes: Scenes, pack: string, cache: string): LatentData {
  const [vae, tower] = [join(pack, 'vae'), join(pack, 'image_encoder')]
  const path = join(cache, `latents-${fingerprint(vae, tower)}.safetensors`)
  if (!existsSync(path)) {
    const [autoencoder, encoder] = [loadAutoencoderKl(vae), loadClipVision(tower)]
    const { count, latents, tokens } = encodeScenes(scenes, autoencoder.model, encoder.model)
    for (const { parameters } of [autoencoder, encoder]) parameters.dispose()
    const array = (data: Float32Array) => ({
      dtype: 'float16' as const,
      shape: [count, data.length / count],
      data: Float16Array.from(data),
    })
    writeFileAtomic(path, encodeSafetensors({ latents: array(latents), tokens: array(tokens) }))
  }
  const file = openSafetensors(openFile(path))
  const [latents, tokens] = file.arrays.map((array) => toFloat32(array.read()))
  file.close()
  return { count: scenes.scenes.length, latents, tokens }
}
