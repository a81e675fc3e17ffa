/**
 * Every number that decides how hard the simulated subject is. They were fixed before any decoder was compared on it, from
 * what is published about the Natural Scenes Dataset (Allen et al. 2022) and the human visual cortex, and are not tuned
 * afterwards: whoever changes one makes another subject, and every result in docs/ that uses it has to be run again.
 */

/** The world: scenes of one or two icons (see `kinds.ts`) before a background. Lengths are pixels of a 64 x 64 scene. */
export const world = {
  side: 64,
  sizes: [28, 34, 46],
  /** Chance that a scene holds two objects. */
  twoObjects: 0.6,
  /** Centres of two objects are at least this multiple of the mean of their sizes apart. */
  spacing: 0.82,
  /** Two scenes with the same kinds, sizes and background differ by more than this in some object's position. */
  minShift: 6,
  /** Upper-left colours; each darkens towards the bottom by `ramp`. */
  backgrounds: [
    [232, 226, 214],
    [196, 214, 232],
    [206, 226, 198],
    [240, 206, 190],
    [218, 204, 232],
    [244, 226, 160],
    [150, 196, 196],
    [120, 136, 168],
    [168, 132, 122],
    [92, 98, 106],
  ] as readonly (readonly [number, number, number])[],
  ramp: 0.38,
} as const

/** Seen images. NSD: 9,000 own + 1,000 shared images, three times each, in up to 40 sessions of 12 runs. */
export const design = {
  repeats: 3,
  /** Shared test images: one for this many own images, within the limits. */
  ownPerShared: 6,
  minShared: 12,
  maxShared: 1000,
  /** Trials that a session aims at, and runs it is cut into. */
  sessionTrials: 250,
  minSessions: 3,
  maxSessions: 40,
  runs: 4,
  /** Of the own images, the share that the webdataset layout calls `val` (300 of 8,859). */
  valShare: 300 / 8859,
} as const

/** Side of the display in degrees of visual angle (NSD: 8.4 x 8.4). */
export const displayDegrees = 8.4

/** What the areas respond to. Pooled edge energies pass a square root (Kay et al. 2013 find exponents of .3 to .5 in early areas). */
export const tuning = {
  /** Receptive field SD in degrees: `base + slope * eccentricity`, by area. */
  receptiveField: {
    V1: { base: 0.25, slope: 0.1 },
    V2: { base: 0.35, slope: 0.15 },
    V3: { base: 0.45, slope: 0.2 },
    hV4: { base: 0.7, slope: 0.35 },
  },
  /** Share of the signal's variance by kind of feature; each row sums to 1. */
  mixture: {
    V1: { edges: 0.75, colour: 0.25, layout: 0, category: 0 },
    V2: { edges: 0.75, colour: 0.25, layout: 0, category: 0 },
    V3: { edges: 0.7, colour: 0.2, layout: 0.1, category: 0 },
    hV4: { edges: 0.4, colour: 0.4, layout: 0.1, category: 0.1 },
    lateral: { edges: 0.05, colour: 0, layout: 0.6, category: 0.35 },
    ventral: { edges: 0, colour: 0.2, layout: 0.1, category: 0.7 },
  },
  /** Pull of a patch (FFA, PPA, EBA) towards its preferred group, in SDs of the category weights. */
  patchPreference: 2.5,
  /** Weight of an object in the other half of the visual field for ventral and lateral voxels (same half: 1). */
  ipsilateral: 0.45,
} as const

/** Cosines between category vectors: kinds of one group share this much of their vector, groups of one realm this much. */
export const categorySpace = { dimensions: 24, group: 0.55, realm: 0.2, seed: 20230529 } as const

/**
 * Noise ceiling of one trial = share of its variance that the image explains. Drawn per voxel: Beta(a, b), or with chance
 * `poor` Beta(poorA, poorB). Medians of the good voxels are near .3 (best areas), as in NSD's nsdgeneral.
 */
export const ceiling = {
  V1: { a: 2.4, b: 5 },
  V2: { a: 2.4, b: 5.2 },
  V3: { a: 2.2, b: 5.4 },
  hV4: { a: 2, b: 5.6 },
  lateral: { a: 1.8, b: 5.4 },
  ventral: { a: 1.9, b: 5.2 },
  poor: 0.3,
  poorA: 0.7,
  poorB: 14,
} as const

/** Noise and drift. Betas are in percent signal change, as in NSD. */
export const measurement = {
  /** Share of the noise variance that neighbouring voxels share, its number of patterns, and their SD in mm. */
  sharedNoise: 0.25,
  noisePatterns: 24,
  noisePatternMm: 12,
  /** Session drift, autoregressive over sessions: offset in SDs of the voxel, gain as ln. */
  driftMemory: 0.8,
  offset: 0.35,
  gain: 0.12,
  /** ln of the voxel's SD over trials, in percent; and mean response in percent. */
  scale: { mean: Math.log(1.3), sd: 0.35 },
  level: { mean: 0.9, sd: 0.6 },
} as const

/** Shapes of the generated hemispheres, in mm. */
export const brain = {
  voxelMm: 1.8,
  /** Semi-axes of the smooth (inflated) hemisphere: lateral, anterior-posterior, dorsal-ventral; medial wall is flat. */
  semiAxes: [36, 82, 54],
  /** Distance of each hemisphere's centre plane from the midline. */
  offset: 21,
  thickness: 2.5,
  /** Folds: distance between gyri, height of the crowns above the smooth shape and depth of the floors below it. */
  foldMm: 21,
  foldDepth: 4.4,
} as const
