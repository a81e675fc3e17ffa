/** The demo pack's image encoder: a small image tower of CLIP that learns what is in a scene and where. */
import * as tf from '@tensorflow/tfjs-core'
import { join } from 'node:path'
import { ClipVision, clipVisionConfig } from '../../src-main/models/clipVision.ts'
import { activate, Linear } from '../../src-main/nn/layers.ts'
import { Parameters } from '../../src-main/nn/parameters.ts'
import type { Scene } from '../../src-main/subjects/simulator/scenes.ts'
import { kinds } from '../../src-main/subjects/simulator/kinds.ts'
import { clipPixels } from '../../src-main/training/augmentation.ts'
import { biMixCo, normaliseRows } from '../../src-main/training/losses.ts'
import { BACKGROUNDS, describe, labelPatches, OBJECT_WIDTH, OBJECTS } from './descriptions.ts'
import type { PackPart } from './trainPart.ts'
import type { Scenes } from './world.ts'
import { drawItems, pictureBatch } from './world.ts'
import { writePart } from './writePart.ts'

/** As transformers writes it. */
export const encoderJson = {
  architectures: ['CLIPVisionModelWithProjection'],
  model_type: 'clip_vision_model',
  hidden_size: 128,
  intermediate_size: 512,
  num_hidden_layers: 4,
  num_attention_heads: 4,
  num_channels: 3,
  image_size: 64,
  patch_size: 16,
  projection_dim: 64,
  hidden_act: 'quick_gelu',
  layer_norm_eps: 1e-5,
}

const TEMPERATURE = 0.07
const DESCRIPTION_WIDTH = 128
const KIND_LABELS = kinds.length + 1
const PLACE = 3
/** Weight of the error of the places that patches tell. */
const PLACE_WEIGHT = 2

/** Descriptions of scenes → (B, P): what their objects give is added up, so their order means nothing. Training needs it and no pack has it. */
class DescriptionEncoder {
  private readonly object: Linear
  private readonly background: Linear
  private readonly hidden: Linear
  private readonly out: Linear

  constructor(parameters: Parameters, projection: number) {
    const linear = (name: string, from: number, to = DESCRIPTION_WIDTH) =>
      new Linear(parameters, `description.${name}`, from, to)
    this.object = linear('object', OBJECT_WIDTH)
    this.background = linear('background', BACKGROUNDS)
    this.hidden = linear('hidden', DESCRIPTION_WIDTH)
    this.out = linear('out', DESCRIPTION_WIDTH, projection)
  }

  forward(scenes: readonly Scene[], anchor: tf.Scalar): tf.Tensor {
    const { objects, backgrounds } = describe(scenes)
    const rows = tf.tensor3d(objects, [scenes.length, OBJECTS, OBJECT_WIDTH])
    const things = tf.sum(activate(this.object.forward(rows, anchor), 'relu'), 1)
    const ground = this.background.forward(tf.tensor2d(backgrounds, [scenes.length, BACKGROUNDS]), anchor)
    const hidden = this.hidden.forward(activate(tf.add(things, ground), 'relu'))
    return this.out.forward(activate(hidden, 'relu'))
  }
}

/**
 * Contrast of the class token with the scene's description among the batch; and what each patch token says of its patch: the object's kind
 * (cross-entropy) and its place (squared error).
 */
export function encoderTraining(
  scenes: Scenes,
  { batch = 120, steps = 2400, json = encoderJson } = {},
): PackPart & { model: ClipVision } {
  const parameters = new Parameters()
  const config = clipVisionConfig(json, 'config.json')
  const model = new ClipVision(parameters, config)
  const descriptions = new DescriptionEncoder(parameters, config.projection)
  const head = new Linear(parameters, 'patches', config.projection, KIND_LABELS + PLACE)
  const perSide = config.image / config.patch
  return {
    ...{ parameters, model, steps, maxLr: 1.5e-3, weightDecay: 0.05 },
    terms(random, anchor) {
      const items = drawItems(scenes, batch, random)
      const chosen = items.map((item) => scenes.scenes[item])
      const tokens = model.forward(clipPixels(pictureBatch(scenes, items), config.image), anchor)
      const [first, patches] = tf.split(tokens, [1, perSide ** 2], 1)
      const contrast = biMixCo(normaliseRows(first), normaliseRows(descriptions.forward(chosen, anchor)), TEMPERATURE)

      const labels = labelPatches(chosen, perSide)
      const said = tf.reshape(head.forward(patches), [-1, KIND_LABELS + PLACE])
      const [logits, places] = tf.split(said, [KIND_LABELS, PLACE], 1)
      const truth = tf.oneHot(tf.tensor1d(labels.kinds, 'int32'), KIND_LABELS)
      const kind = tf.neg(tf.mean(tf.sum(tf.mul(truth, tf.logSoftmax(logits)), 1))) as tf.Scalar
      const shown = tf.tensor2d(
        Float32Array.from(labels.kinds, (label) => Math.min(label, 1)),
        [labels.kinds.length, 1],
      )
      const apart = tf.square(tf.sub(places, tf.tensor2d(labels.places, [labels.kinds.length, PLACE])))
      const place = tf.div(tf.sum(tf.mul(apart, shown)), tf.maximum(tf.sum(shown), 1)) as tf.Scalar

      const loss = tf.addN([contrast, kind, tf.mul(place, PLACE_WEIGHT)]) as tf.Scalar
      return { loss, contrast, kind, place }
    },
    write(pack) {
      const isTower = (name: string) => name.startsWith('vision_model.') || name.startsWith('visual_projection.')
      writePart(join(pack, 'image_encoder'), json, parameters, 'model', isTower)
    },
  }
}
