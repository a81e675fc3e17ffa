import * as v from 'valibot'

/** One option of a run: its schema with meaning and unit (shown in help and in the app) and its default. */
const field = <S extends v.GenericSchema>(schema: S, meaning: string, unit: string, fallback: v.InferInput<S>) =>
  v.optional(v.pipe(schema, v.description(meaning), v.metadata({ unit })), fallback as never)

const count = (least = 0) => v.pipe(v.number(), v.integer(), v.minValue(least))
const share = v.pipe(v.number(), v.minValue(0), v.maxValue(1))
const positive = v.pipe(v.number(), v.gtValue(0))
const notNegative = v.pipe(v.number(), v.minValue(0))

/** Everything that a run can be told. Symbols and equation numbers are the paper's (arXiv 2305.18274). */
export const trainingFields = {
  method: field(
    v.picklist(['mindeye', 'low-level', 'ridge']),
    'decoder: the high-level network, the low-level one (to the latent of a blurry image), or ridge regression as the sanity check',
    '',
    'mindeye',
  ),
  items: field(
    v.picklist(['trial', 'stimulus']),
    'what one training example is: a single trial, or a stimulus with its repeats in turn (tested on their mean)',
    '',
    'trial',
  ),
  samples: field(
    count(),
    'training examples that are used, drawn by the seed, fewer of them always being a part of more; 0 uses all',
    'examples',
    0,
  ),
  zscore: field(
    v.picklist(['train', 'session', 'none']),
    'voxels are z-scored with statistics of the training trials, over all of them or session by session',
    '',
    'train',
  ),
  targets: field(
    v.picklist(['study', 'clip']),
    'image embedding to decode: an autoencoder of the study’s own training images, or CLIP ViT-L/14',
    '',
    'study',
  ),
  tokens: field(count(1), 'tokens T of the image embedding', 'tokens', 1),
  width: field(count(1), 'width D of a token', 'numbers', 48),
  encoderPixels: field(count(8), 'side to which images are resized for the study autoencoder, at most', 'px', 32),
  encoderSteps: field(count(1), 'training steps of the study autoencoder', 'steps', 480),
  encoderKl: field(
    notNegative,
    'weight of the KL term of the study autoencoder against the summed pixel loss',
    '',
    0.3,
  ),
  encoderShift: field(share, 'largest shift of its augmented images, of the side', 'share', 0.12),
  encoderRotation: field(notNegative, 'largest rotation of its augmented images', 'rad', 0.15),
  encoderScale: field(share, 'largest change of size of its augmented images', 'share', 0.15),
  pictures: field(
    v.boolean(),
    'decode pictures without a pack, too: with the study autoencoder a blend of its decoded embedding, a low-level network and ridge regression to pixels; by ridge regression to pixels alone where that is the method',
    '',
    false,
  ),
  blendFolds: field(
    count(2),
    'parts of the training trials, each predicted from the others, that choose the blend of the pictures',
    'folds',
    2,
  ),
  hidden: field(count(1), 'hidden width h of voxel2clip', 'units', 4096),
  blocks: field(count(), 'residual blocks of voxel2clip', 'blocks', 4),
  projectorHidden: field(
    count(),
    'hidden width of the contrastive projector; 0 leaves it out and compares the backbone’s output',
    'units',
    2048,
  ),
  dropoutFirst: field(share, 'dropout after the first layer', 'share', 0.5),
  dropoutBlocks: field(share, 'dropout inside the residual blocks', 'share', 0.15),
  batchSize: field(count(2), 'examples B per step', 'examples', 32),
  epochs: field(count(1), 'passes over the training examples', 'epochs', 240),
  maxLr: field(positive, 'largest learning rate of the one-cycle schedule', '', 3e-4),
  warmUp: field(share, 'share of the steps in which the learning rate rises', 'share', 2 / 240),
  weightDecay: field(notNegative, 'decoupled weight decay of AdamW; biases are exempt', '', 0.01),
  mixing: field(
    v.picklist(['mixco', 'mixup', 'none']),
    'first phase: voxels mixed (mixco), voxels and their targets mixed alike (mixup), or neither',
    '',
    'mixco',
  ),
  mixShare: field(share, 'share of the epochs that train with BiMixCo, before SoftCLIP', 'share', 0.33),
  mixBeta: field(positive, 'both parameters of the Beta distribution of mixing weights', '', 0.15),
  mixProbability: field(share, 'probability that an example is mixed', 'share', 0.5),
  mixTemperature: field(positive, 'temperature τ of BiMixCo', '', 0.006),
  softTemperatureStart: field(positive, 'temperature τ of SoftCLIP at its first epoch', '', 0.004),
  softTemperatureEnd: field(positive, 'temperature τ of SoftCLIP at the last epoch', '', 0.0075),
  regressionWeight: field(
    notNegative,
    'weight of the squared error of the backbone’s output against the target',
    '',
    0,
  ),
  augment: field(
    v.boolean(),
    'CLIP targets are those of images cropped, flipped, recoloured and greyed at random, as the paper does',
    '',
    false,
  ),
  prior: field(v.boolean(), 'train the diffusion prior from the backbone’s output to the target', '', false),
  priorWeight: field(notNegative, 'weight of the prior’s loss against the contrastive one', '', 30),
  priorDepth: field(count(1), 'layers of the prior’s transformer', 'layers', 6),
  priorHeads: field(count(1), 'query heads of the prior', 'heads', 12),
  priorHeadDim: field(count(2), 'width of a head of the prior', 'numbers', 64),
  conditionDrop: field(
    share,
    'probability that the prior’s brain or image condition of an example is dropped',
    'share',
    0.2,
  ),
  mapSide: field(
    count(1),
    'low level: side of the map before the upsampler, which doubles it twice to the latents’ side',
    'px',
    16,
  ),
  latentChannels: field(count(1), 'low level: channels of the latents; those of the pack’s autoencoder', 'channels', 4),
  upsamplerWidth: field(
    v.pipe(count(32), v.multipleOf(32)),
    'low level: channels of the map and of the upsampler’s finest resolution; twice and four times as many before',
    'channels',
    64,
  ),
  contrast: field(
    v.boolean(),
    'low level: contrast tokens with those of the pack’s teacher, in a head that is only trained',
    '',
    true,
  ),
  features: field(count(1), 'low level: width of the teacher’s tokens', 'numbers', 512),
  contrastWeight: field(notNegative, 'low level: weight of the contrastive term', '', 0.1),
  contrastTemperature: field(positive, 'low level: temperature τ of the contrastive term', '', 0.075),
  checkpointSeconds: field(notNegative, 'time between checkpoints', 's', 30),
} as const

const schema = v.strictObject(trainingFields)

/** A complete set of options. */
export type TrainingConfig = v.InferOutput<typeof schema>
export type TrainingOptions = v.InferInput<typeof schema>

/** Whether a run decodes pictures itself, without a pack. */
export const decodesPictures = ({ method, targets, pictures }: TrainingConfig): boolean =>
  pictures && (method === 'ridge' || (method === 'mindeye' && targets === 'study'))

/** Whether a training needs pretrained networks: an image tower, or an autoencoder. */
export const needsPack = ({ method, targets }: TrainingConfig): boolean => method === 'low-level' || targets === 'clip'

/** The options of a run of any version: those that it was not asked for, since they are newer, are at their defaults. */
export const completed = (options: Partial<TrainingConfig>): TrainingConfig => ({
  ...v.getDefaults(schema),
  ...options,
})

/** Fills defaults and checks every value; the issues name the option. */
export const parseTraining = (options: TrainingOptions | Record<string, unknown>) => v.safeParse(schema, options)
