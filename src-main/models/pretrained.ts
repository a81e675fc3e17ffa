import { statSync } from 'node:fs'
import { formatError } from '../base/errors.ts'
import type { ArrayEntry } from '../formats/array.ts'
import { Parameters } from '../nn/parameters.ts'
import { AutoencoderKl, autoencoderConfig } from './autoencoderKl.ts'
import { ClipVision, clipVisionConfig } from './clipVision.ts'
import { LatentDenoiser, latentDenoiserConfig } from './latentDenoiser.ts'
import { openModelFolder, openModelWeights } from './modelFolder.ts'
import { openAiClipVision } from './openAiClip.ts'
import { SceneClassifier, sceneClassifierConfig } from './sceneClassifier.ts'
import { unetConfig } from './unetConfig.ts'
import { withOldAttentionNames } from './vaeBlocks.ts'
import { imageUnetArrays, VersatileDiffusionUnet } from './versatileDiffusionUnet.ts'

/** A network that is used as published; dispose its parameters when done. */
export interface Pretrained<M> {
  model: M
  parameters: Parameters
}

/** How published files become a network. */
export interface NetworkKind<C, M> {
  /** The class that saved it, as config.json names it. */
  classes: readonly string[]
  configOf(json: Record<string, unknown>, where: string): C
  make(parameters: Parameters, config: C): M
  /** The network's own arrays, under our names. */
  arraysOf(arrays: readonly ArrayEntry[]): ArrayEntry[]
  /** A bare file of weights, which has no config.json beside it. */
  fromFile?(arrays: readonly ArrayEntry[], where: string): { config: C; arrays: ArrayEntry[] }
}

/** CLIP's image tower: transformers' folder of it or of a whole CLIP; or OpenAI's file, `ViT-L-14.pt`. */
export const clipVisionKind: NetworkKind<ReturnType<typeof clipVisionConfig>, ClipVision> = {
  classes: ['CLIPVisionModelWithProjection', 'CLIPModel'],
  configOf: clipVisionConfig,
  make: (parameters, config) => new ClipVision(parameters, config),
  arraysOf: (arrays) =>
    arrays.filter(({ name }) => !/^(text_model\.|text_projection\.|logit_scale$)|\.position_ids$/.test(name)),
  fromFile: openAiClipVision,
}

/** Sizes of Stable Diffusion's autoencoder kl-f8, with which the official release's file belongs. */
const KL_F8 = { block_out_channels: [128, 256, 512, 512], layers_per_block: 2 }

/** An autoencoder: diffusers' folder; or the state dict of Stable Diffusion's, `sd_image_var_autoenc.pth` of the official release. */
export const autoencoderKind: NetworkKind<ReturnType<typeof autoencoderConfig>, AutoencoderKl> = {
  classes: ['AutoencoderKL'],
  configOf: autoencoderConfig,
  make: (parameters, config) => new AutoencoderKl(parameters, config),
  arraysOf: withOldAttentionNames,
  fromFile: (arrays, where) => ({ config: autoencoderConfig(KL_F8, where), arrays: withOldAttentionNames(arrays) }),
}

/** Versatile Diffusion's image UNet, as published or saved with dual attention: diffusers' folder. */
export const imageUnetKind: NetworkKind<ReturnType<typeof unetConfig>, VersatileDiffusionUnet> = {
  classes: ['UNet2DConditionModel'],
  configOf: unetConfig,
  make: (parameters, config) => new VersatileDiffusionUnet(parameters, config),
  arraysOf: imageUnetArrays,
}

/** The demo pack's denoiser. */
export const latentDenoiserKind: NetworkKind<ReturnType<typeof latentDenoiserConfig>, LatentDenoiser> = {
  classes: ['LatentDenoiser'],
  configOf: latentDenoiserConfig,
  make: (parameters, config) => new LatentDenoiser(parameters, config),
  arraysOf: (arrays) => [...arrays],
}

/** The demo pack's classifier. */
export const sceneClassifierKind: NetworkKind<ReturnType<typeof sceneClassifierConfig>, SceneClassifier> = {
  classes: ['SceneClassifier'],
  configOf: sceneClassifierConfig,
  make: (parameters, config) => new SceneClassifier(parameters, config),
  arraysOf: (arrays) => [...arrays],
}

/** A network's files, opened: configuration and arrays under our names, nothing but headers read. */
export interface OpenedNetwork<C> {
  config: C
  arrays: readonly ArrayEntry[]
  /** Path of the weights, or of the index of their parts. */
  weightsPath: string
  /** Names of the files that hold the weights. */
  files: readonly string[]
  close(): void
}

/** Opens the published files of a network: a model's folder, or where that is known a bare file of weights. */
export function openNetwork<C, M>(kind: NetworkKind<C, M>, path: string): OpenedNetwork<C> {
  const isFile = statSync(path, { throwIfNoEntry: false })?.isFile()
  if (isFile && kind.fromFile) {
    const file = openModelWeights(path)
    const { files, close } = file
    return orClosed(file, () => ({ ...kind.fromFile!(file.arrays, path), weightsPath: path, files, close }))
  }
  const folder = openModelFolder(path)
  const { config: json, configPath, weightsPath, files, close } = folder
  return orClosed(folder, () => {
    checkClass(kind.classes, json, configPath)
    return { config: kind.configOf(json, configPath), arrays: kind.arraysOf(folder.arrays), weightsPath, files, close }
  })
}

function orClosed<R>(file: { close(): void }, use: () => R): R {
  try {
    return use()
  } catch (error) {
    file.close()
    throw error
  }
}

/** transformers writes `architectures`, diffusers `_class_name`; a config.json without either is taken at its word. */
function checkClass(classes: readonly string[], json: Record<string, unknown>, where: string): void {
  const { architectures, _class_name } = json
  const found = [_class_name, architectures].flat().filter((name) => typeof name === 'string')
  if (!found.length || found.some((name) => classes.includes(name))) return
  throw formatError(where, 'class', classes.join(' or '), found.join(', '), 'It is the folder of another network.')
}

/** Loads a network from its published files; throws a format error that lists what does not fit. Needs the backend. */
export function loadNetwork<C, M>(kind: NetworkKind<C, M>, path: string): Pretrained<M> {
  const network = openNetwork(kind, path)
  const parameters = new Parameters()
  try {
    const model = kind.make(parameters, network.config)
    parameters.load(network.arrays, network.weightsPath)
    return { model, parameters }
  } catch (error) {
    parameters.dispose()
    throw error
  } finally {
    network.close()
  }
}

export const loadClipVision = (path: string): Pretrained<ClipVision> => loadNetwork(clipVisionKind, path)
export const loadAutoencoderKl = (path: string): Pretrained<AutoencoderKl> => loadNetwork(autoencoderKind, path)
export const loadImageUnet = (path: string): Pretrained<VersatileDiffusionUnet> => loadNetwork(imageUnetKind, path)
export const loadSceneClassifier = (path: string): Pretrained<SceneClassifier> => loadNetwork(sceneClassifierKind, path)
