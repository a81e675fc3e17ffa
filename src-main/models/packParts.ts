import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import * as v from 'valibot'
import { formatError } from '../base/errors.ts'
import { cosineBetas, scaledLinearBetas } from '../diffusion/tables.ts'
import type { Prediction } from '../diffusion/tables.ts'
import type { ArrayEntry } from '../formats/array.ts'
import { Parameters } from '../nn/parameters.ts'
import { AlexNet } from './alexNet.ts'
import { reduction } from './autoencoderKl.ts'
import { clipTokens } from './clipVision.ts'
import { ConvNeXt, convNeXtConfig } from './convNeXt.ts'
import { EfficientNetB1 } from './efficientNet.ts'
import { stateDict } from './frozenNetwork.ts'
import type { FrozenNetwork } from './frozenNetwork.ts'
import { InceptionV3 } from './inceptionV3.ts'
import { count, parseConfig } from './modelConfig.ts'
import { openModelWeights, readConfig } from './modelFolder.ts'
import { isLatentDenoiser } from './loadDenoiser.ts'
import {
  autoencoderKind,
  clipVisionKind,
  imageUnetKind,
  latentDenoiserKind,
  openNetwork,
  sceneClassifierKind,
} from './pretrained.ts'
import type { NetworkKind } from './pretrained.ts'
import { ResNet50 } from './resNet.ts'

/** What a part's files say, read from their headers alone. */
export interface Inspection {
  /** Paths of all files that belong to it. */
  files: string[]
  /** Numbers in the network; 0 for settings. */
  parameters: number
  /** Sizes that other parts must agree with. */
  sizes: Record<string, number>
  /** Bytes for activations beside the weights, for one unit of `work`. */
  working: number
  /** Every missing, misshaped and extra name. */
  faults: string[]
}

export interface Part {
  /** What it is, e.g. `CLIP ViT-L/14 image tower`. */
  title: string
  /** What cannot be done without it. */
  use: string
  /** Where it lies, relative to the pack; the metrics' networks share one. */
  folder: string
  /** With what the name of its one file begins, where it is a file and not a model's folder. */
  fileNames?: readonly string[]
  /** Where it comes from: repository or author, and file. */
  source: string
  /** What the activations are counted for, e.g. `8 pictures`. */
  work?: string
  inspect(path: string): Inspection
}

/** A network of a model's folder or file. */
const network = <C, M>(
  kind: NetworkKind<C, M>,
  sizesOf: (config: C) => Record<string, number>,
  workingOf: (config: C) => number,
) => ({
  inspect(path: string): Inspection {
    const { config, arrays, files, weightsPath, close } = openNetwork(kind, path)
    try {
      const parameters = new Parameters()
      kind.make(parameters, config)
      const folder = dirname(weightsPath)
      const paths = new Set([...files.map((file) => join(folder, file)), weightsPath])
      const configPath = join(folder, 'config.json')
      if (existsSync(configPath)) paths.add(configPath)
      return {
        files: [...paths],
        parameters: parameters.count,
        sizes: sizesOf(config),
        working: workingOf(config),
        faults: parameters.faults(arrays),
      }
    } finally {
      close()
    }
  },
})

/** A network from one published file; `maps` is the size of its largest feature maps for one unit of work, numbers. */
const frozen = (make: (arrays: ArrayEntry[], where: string) => FrozenNetwork, maps: number) => ({
  inspect(path: string): Inspection {
    const file = openModelWeights(path)
    try {
      const made = make(stateDict(file.arrays), path)
      const faults = made.faults(file.arrays)
      return { files: [path], parameters: made.parameters.count, sizes: {}, working: 4 * maps, faults }
    } finally {
      file.close()
    }
  },
})

const beta = v.pipe(v.number(), v.gtValue(0))
const schedule = v.object({
  num_train_timesteps: v.optional(count, 1000),
  beta_start: v.optional(beta, 0.0001),
  beta_end: v.optional(beta, 0.02),
  beta_schedule: v.picklist(['scaled_linear', 'squaredcos_cap_v2']),
  prediction_type: v.optional(v.picklist(['epsilon', 'v_prediction']), 'epsilon'),
})

/** Noise levels of a diffusers scheduler folder, and what a denoiser trained with them predicts. */
export function readSchedule(folder: string): { betas: Float32Array; prediction: Prediction } {
  const path = schedulePath(folder)
  const config = parseConfig(schedule, readConfig(path), path)
  const { num_train_timesteps: timesteps, beta_schedule, beta_start, beta_end, prediction_type } = config
  const betas =
    beta_schedule === 'squaredcos_cap_v2' ? cosineBetas(timesteps) : scaledLinearBetas(beta_start, beta_end, timesteps)
  return { betas, prediction: prediction_type }
}

function schedulePath(folder: string): string {
  const names = ['scheduler_config.json', 'config.json']
  const found = names.find((name) => existsSync(join(folder, name)))
  if (found) return join(folder, found)
  throw formatError(folder, 'files', names.join(' or '), readdirSync(folder).slice(0, 12).join(', '))
}

const VERSATILE = 'shi-labs/versatile-diffusion'
const PICTURE = 512
const LATENT = PICTURE / 8
const BATCH = 8

const autoencoder = network(
  autoencoderKind,
  (config) => ({ latentChannels: config.latentChannels, reduction: reduction(config) }),
  // The finest map of a picture, of which a residual block holds eight at a time.
  ({ channels, patch }) => 4 * 8 * (PICTURE / patch) ** 2 * channels[0],
)

const imageUnet = network(
  imageUnetKind,
  ({ contextWidth, inputs }) => ({ contextWidth, latentChannels: inputs }),
  // Two latents; their maps come to 84 of the finest stage in the published network (measured), beside scores of attention.
  ({ channels }) => 4 * (84 * 2 * LATENT ** 2 * channels[0] + 2 * 2 ** 24),
)

const latentDenoiser = network(
  latentDenoiserKind,
  ({ tokenWidth, tokens, channels }) => ({ contextWidth: tokenWidth, tokens, latentChannels: channels }),
  // Two latents: the residual stream and what is made of it, scores of attention, the MLP's hidden layer.
  ({ side, width, mlpWidth, heads }) => 4 * 2 * side ** 2 * (10 * width + 2 * heads * side ** 2 + 3 * mlpWidth),
)

/** The parts of a pack in the order in which they are told. */
export const packParts = {
  image_encoder: {
    title: 'CLIP ViT-L/14 image tower',
    use: 'encoding images: targets of training, choice among reconstructions, the metric CLIP',
    folder: 'image_encoder',
    source: `${VERSATILE}, folder image_encoder; or openai/clip-vit-large-patch14`,
    work: `${BATCH} pictures`,
    ...network(
      clipVisionKind,
      (config) => ({ tokens: clipTokens(config), width: config.projection }),
      // Residual stream, queries, keys, values and what is made of them; scores of attention; the MLP's hidden layer.
      (config) =>
        4 *
        (BATCH * clipTokens(config) * config.width * 10 +
          2 * 2 ** 24 +
          3 * BATCH * clipTokens(config) * config.mlpWidth),
    ),
  },
  image_unet: {
    title: 'Versatile Diffusion image UNet',
    use: 'reconstruction: from noise to latents, step by step',
    folder: 'image_unet',
    source: `${VERSATILE}, folder image_unet`,
    work: 'one picture with and without its condition',
    inspect: (path: string): Inspection => (isLatentDenoiser(path) ? latentDenoiser : imageUnet).inspect(path),
  },
  vae: {
    title: 'Versatile Diffusion autoencoder',
    use: 'reconstruction: from latents to pictures, and the blurry picture that it starts from',
    folder: 'vae',
    source: `${VERSATILE}, folder vae`,
    work: `one picture of ${PICTURE} x ${PICTURE}`,
    ...autoencoder,
  },
  scheduler: {
    title: 'noise schedule',
    use: 'reconstruction: noise levels of the sampler',
    folder: 'scheduler',
    source: `${VERSATILE}, folder scheduler`,
    inspect: (path: string): Inspection => {
      readSchedule(path)
      return { files: [schedulePath(path)], parameters: 0, sizes: {}, working: 0, faults: [] }
    },
  },
  low_level_vae: {
    title: 'Stable Diffusion autoencoder kl-f8',
    use: 'low-level training: its latents are the targets (without it, those of vae)',
    folder: 'low_level_vae',
    source:
      'the official MindEye release, sd_image_var_autoenc.pth; or lambdalabs/sd-image-variations-diffusers, folder vae',
    work: `one picture of ${PICTURE} x ${PICTURE}`,
    ...autoencoder,
  },
  teacher: {
    title: 'VICRegL ConvNeXt-XL with its projector',
    use: 'low-level training: the contrastive loss',
    folder: 'teacher',
    fileNames: [''],
    source: 'facebookresearch VICRegL, convnext_xlarge_alpha0.75_fullckpt.pth',
    work: `one picture of ${PICTURE} x ${PICTURE}`,
    ...frozen((arrays, where) => new ConvNeXt(convNeXtConfig(arrays, where)), 12 * (PICTURE / 4) ** 2 * 256),
  },
  alexnet: {
    title: 'AlexNet',
    use: 'the metrics AlexNet(2) and AlexNet(5)',
    folder: 'metrics',
    fileNames: ['alexnet'],
    source: 'torchvision IMAGENET1K_V1, alexnet-owt-7be5be79.pth',
    work: '16 pictures',
    ...frozen(() => new AlexNet(), 16 * 3 * 64 * 63 ** 2),
  },
  inception_v3: {
    title: 'Inception v3',
    use: 'the metric Inception',
    folder: 'metrics',
    fileNames: ['inception_v3'],
    source: 'torchvision IMAGENET1K_V1, inception_v3_google-0cc3c7bd.pth',
    work: '16 pictures',
    ...frozen(() => new InceptionV3(), 16 * 3 * 64 * 167 ** 2),
  },
  efficientnet_b1: {
    title: 'EfficientNet-B1',
    use: 'the metric EffNet-B',
    folder: 'metrics',
    fileNames: ['efficientnet_b1'],
    source: 'torchvision IMAGENET1K_V2, efficientnet_b1-c27df63c.pth',
    work: '16 pictures',
    ...frozen(() => new EfficientNetB1(), 16 * 3 * 96 * 128 ** 2),
  },
  swav: {
    title: 'ResNet-50 trained by SwAV',
    use: 'the metric SwAV',
    folder: 'metrics',
    fileNames: ['swav', 'resnet50'],
    source: 'facebookresearch SwAV, swav_800ep_pretrain.pth.tar',
    work: '16 pictures',
    ...frozen(() => new ResNet50(), 16 * 3 * 64 * 112 ** 2),
  },
  classifier: {
    title: "the demo pack's classifier of scenes",
    use: 'naming the objects of simulated scenes, and stand-ins for the metrics of networks',
    folder: 'classifier',
    source: 'part of the demo pack; no other pack has it',
    work: '16 pictures',
    ...network(
      sceneClassifierKind,
      ({ side }) => ({ side }),
      ({ side, channels }) => 4 * 16 * 4 * (side / 2) ** 2 * channels[0],
    ),
  },
} satisfies Record<string, Part>

export type PartName = keyof typeof packParts
export const partNames = Object.keys(packParts) as PartName[]

const WEIGHTS = /\.(safetensors|bin|pth|pt|ckpt|tar)$/i

/** The path of a part inside a pack: a model's folder, or a file of weights; undefined when there is nothing in its place. */
export function locatePart(pack: string, name: PartName): string | undefined {
  const part: Part = packParts[name]
  const folder = join(pack, part.folder)
  if (!statSync(folder, { throwIfNoEntry: false })?.isDirectory()) return undefined
  const names = readdirSync(folder)
    .filter((file) => !file.startsWith('.'))
    .sort()
  const isIts = (file: string) => !part.fileNames || part.fileNames.some((start) => file.startsWith(start))
  const weights = names.filter((file) => WEIGHTS.test(file) && isIts(file))
  if (part.fileNames) {
    if (weights.length > 1) throw formatError(folder, 'files', `one file of the ${part.title}`, weights.join(', '))
    return weights.length ? join(folder, weights[0]) : undefined
  }
  if (!names.length) return undefined
  const isBare = weights.length === 1 && !names.includes('config.json')
  return isBare ? join(folder, weights[0]) : folder
}

/** What a part's identity is made of: its settings word for word, its weights by name and size. */
export function partIdentity(path: string): string[] {
  const ofFile = (file: string) => `${basename(file)} ${statSync(file).size}`
  if (statSync(path).isFile()) return [ofFile(path)]
  return readdirSync(path)
    .sort()
    .flatMap((name) => {
      const file = join(path, name)
      if (WEIGHTS.test(name)) return [ofFile(file)]
      return name.endsWith('.json') && statSync(file).size < 1e6 ? [`${name} ${readFileSync(file, 'utf8')}`] : []
    })
}
