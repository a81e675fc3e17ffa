/**
 * Ridge regression from voxels to targets with an alpha of its own for every target, as the field's sanity check
 * (la Tour et al. 2022, himalaya). Float64 throughout; one eigendecomposition per fold serves all alphas and all targets.
 * Written n trials, V voxels, D targets.
 */
import { EigenvalueDecomposition, Matrix } from 'ml-matrix'
import { MindEyeError } from '../base/errors.ts'

/** Rows of samples, (count, width) in C order. */
export interface Samples {
  count: number
  width: number
  data: Float32Array | Float64Array
}

export interface RidgeModel {
  voxels: number
  targets: number
  /** (V, D): prediction = voxels @ weights + intercept. */
  weights: Float32Array
  /** (D). */
  intercept: Float32Array
  /** (D), the penalty chosen for each target. */
  alpha: Float64Array
}

/** Beyond this many examples a fit takes minutes: a blend of pictures does without it, since the networks then have enough to learn from. */
export const RIDGE_EXAMPLES = 2000

/** For z-scored voxels: from almost none to so much that every prediction is the mean. Half decades, 0.1 to 10^6. */
export const ridgeAlphas: readonly number[] = Array.from({ length: 15 }, (_, i) => 10 ** (i / 2 - 1))

/**
 * Fits min |Y - XW - b|^2 + alpha |W|^2 (the intercept b is not penalised). `groups` (n) names the fold of each trial:
 * each fold is predicted from all others, and every target takes the alpha with the least squared error over all of them
 * (of equal ones the largest). Trials of one stimulus, or of one run, belong in one group. Costs about min(n, V)^3 per
 * fold: 1 s for 600 trials, 30 s for 2,000.
 */
export function fitRidge(X: Samples, Y: Samples, groups: ArrayLike<number>, alphas = ridgeAlphas): RidgeModel {
  checkSamples(X, Y, groups)
  const [n, voxels, targets] = [X.count, X.width, Y.width]
  const ascending = [...alphas].sort((a, b) => a - b)
  const voxelMean = columnMeans(X)
  const centred = Float64Array.from(X.data, (x, i) => x - voxelMean[i % voxels]) // (n, V)
  const all = Int32Array.from({ length: n }, (_, i) => i)
  const decompose = voxels < n ? primal(centred, voxels) : dual(centred, n, voxels)

  const errors = ascending.map(() => new Float64Array(targets))
  for (const group of new Set(Array.from(groups))) {
    const train = all.filter((i) => groups[i] !== group)
    const held = all.filter((i) => groups[i] === group)
    const { values, basis, project } = decompose(train)
    const { mean, deviations } = centreTargets(Y, train)
    const answers = multiply(project, deviations, values.length, train.length, targets) // (r, D)
    const views = basis(held) // (held, r)
    ascending.forEach((alpha, a) => {
      const shrunk = views.map((view, i) => view / (values[i % values.length] + alpha))
      const predicted = multiply(shrunk, answers, held.length, values.length, targets)
      for (let i = 0; i < held.length; i++)
        for (let d = 0; d < targets; d++)
          errors[a][d] += (Y.data[held[i] * targets + d] - mean[d] - predicted[i * targets + d]) ** 2
    })
  }
  const alpha = Float64Array.from({ length: targets }, (_, d) => {
    let best = 0
    for (let a = 1; a < ascending.length; a++) if (errors[a][d] <= errors[best][d]) best = a
    return ascending[best]
  })

  const { values, weigh, project } = decompose(all)
  const { mean, deviations } = centreTargets(Y, all)
  const answers = multiply(project, deviations, values.length, n, targets)
  const weights = weigh(answers.map((answer, i) => answer / (values[Math.floor(i / targets)] + alpha[i % targets])))
  const shift = multiply(voxelMean, weights, 1, voxels, targets)
  return {
    voxels,
    targets,
    weights: Float32Array.from(weights),
    intercept: Float32Array.from(mean, (m, d) => m - shift[d]),
    alpha,
  }
}

/** Predicted targets, (X.count, D). */
export function predictRidge(model: RidgeModel, X: Samples): Float32Array {
  const { voxels, targets, weights, intercept } = model
  if (X.width !== voxels)
    throw new MindEyeError({
      kind: 'input',
      where: 'voxels',
      expected: `${voxels} voxels, as the ridge regression was fitted on`,
      found: `${X.width}`,
      fix: 'Decode trials of the subject that the run was trained on.',
    })
  const product = multiply(Float64Array.from(X.data), Float64Array.from(weights), X.count, voxels, targets)
  return Float32Array.from(product, (value, i) => value + intercept[i % targets])
}

/**
 * The fit of some rows in their eigenbasis of rank r: with `values` (r) and `project` (r, rows),
 * prediction = basis(other rows) / (values + alpha) @ project @ targets, and weights = weigh(... / (values + alpha)).
 */
interface Decomposition {
  values: Float64Array
  project: Float64Array
  basis(rows: Int32Array): Float64Array
  /** (r, D) coefficients in the eigenbasis to (V, D) weights. */
  weigh(coefficients: Float64Array): Float64Array
}

/** Fewer voxels than trials: eigenbasis of the covariance (V, V). */
function primal(centred: Float64Array, voxels: number): (train: Int32Array) => Decomposition {
  return (train) => {
    const mean = columnMeans({ count: train.length, width: voxels, data: pick(centred, train, voxels) })
    const about = (rows: Int32Array) => pick(centred, rows, voxels).map((x, i) => x - mean[i % voxels])
    const inner = about(train) // (rows, V)
    const outer = transpose(inner, train.length, voxels)
    const { values, vectors } = eigen(multiply(outer, inner, voxels, train.length, voxels), voxels)
    return {
      values,
      project: multiply(transpose(vectors, voxels, voxels), outer, voxels, voxels, train.length),
      basis: (rows) => multiply(about(rows), vectors, rows.length, voxels, voxels),
      weigh: (coefficients) => multiply(vectors, coefficients, voxels, voxels, coefficients.length / voxels),
    }
  }
}

/** Fewer trials than voxels: eigenbasis of the kernel (trials, trials), which all folds cut from one product. */
function dual(centred: Float64Array, n: number, voxels: number): (train: Int32Array) => Decomposition {
  const kernel = multiply(centred, transpose(centred, n, voxels), n, voxels, n)
  return (train) => {
    const r = train.length
    // Kernel about the mean of the train rows: k(x, t) - mean_s k(x, s) - mean_s k(t, s) + mean_s,u k(s, u).
    const toTrain = (row: number) => train.reduce((sum, t) => sum + kernel[row * n + t], 0) / r
    const trainMeans = Float64Array.from(train, toTrain)
    const grandMean = trainMeans.reduce((a, b) => a + b, 0) / r
    const about = (rows: Int32Array) => {
      const part = new Float64Array(rows.length * r)
      rows.forEach((row, i) => {
        const own = toTrain(row)
        for (let j = 0; j < r; j++) part[i * r + j] = kernel[row * n + train[j]] - own - trainMeans[j] + grandMean
      })
      return part
    }
    const { values, vectors } = eigen(about(train), r)
    const project = transpose(vectors, r, r)
    return {
      values,
      project,
      basis: (rows) => multiply(about(rows), vectors, rows.length, r, r),
      weigh: (coefficients) => {
        const targets = coefficients.length / r
        const rows = pick(centred, train, voxels)
        const mean = columnMeans({ count: r, width: voxels, data: rows })
        const outer = transpose(
          rows.map((x, i) => x - mean[i % voxels]),
          r,
          voxels,
        )
        return multiply(outer, multiply(vectors, coefficients, r, r, targets), voxels, r, targets)
      },
    }
  }
}

/** Eigenvalues (size) and eigenvectors as columns (size, size) of a symmetric positive semidefinite matrix. */
function eigen(symmetric: Float64Array, size: number): { values: Float64Array; vectors: Float64Array } {
  const matrix = Matrix.from1DArray(size, size, symmetric)
  const decomposition = new EigenvalueDecomposition(matrix, { assumeSymmetric: true })
  // Rounding leaves tiny negative values where the matrix has no rank.
  const values = Float64Array.from(decomposition.realEigenvalues, (value) => Math.max(0, value))
  return { values, vectors: Float64Array.from(decomposition.eigenvectorMatrix.to1DArray()) }
}

/** (n, k) @ (k, m), two rows of the product and four of the right factor at a time: twice as fast as the plain loops. */
function multiply(left: Float64Array, right: Float64Array, n: number, k: number, m: number): Float64Array {
  const [rows, inner] = [2 * Math.ceil(n / 2), 4 * Math.ceil(k / 4)]
  const a = padded(left, n, k, rows, inner)
  const b = padded(right, k, m, inner, m)
  const product = new Float64Array(rows * m)
  for (let i = 0; i < rows; i += 2) {
    const [even, odd] = [i * m, (i + 1) * m]
    for (let p = 0; p < inner; p += 4) {
      const [u, v] = [i * inner + p, (i + 1) * inner + p]
      const [u0, u1, u2, u3] = [a[u], a[u + 1], a[u + 2], a[u + 3]]
      const [v0, v1, v2, v3] = [a[v], a[v + 1], a[v + 2], a[v + 3]]
      const at = p * m
      for (let j = 0; j < m; j++) {
        const b0 = b[at + j]
        const b1 = b[at + m + j]
        const b2 = b[at + 2 * m + j]
        const b3 = b[at + 3 * m + j]
        product[even + j] += u0 * b0 + u1 * b1 + u2 * b2 + u3 * b3
        product[odd + j] += v0 * b0 + v1 * b1 + v2 * b2 + v3 * b3
      }
    }
  }
  return product.subarray(0, n * m)
}

/** The matrix (n, m) with zeros appended to (rows, columns); itself where nothing is to be appended. */
function padded(a: Float64Array, n: number, m: number, rows: number, columns: number): Float64Array {
  if (n === rows && m === columns) return a
  const wide = new Float64Array(rows * columns)
  for (let i = 0; i < n; i++) wide.set(a.subarray(i * m, (i + 1) * m), i * columns)
  return wide
}

function transpose(a: Float64Array, n: number, m: number): Float64Array {
  const turned = new Float64Array(n * m)
  for (let i = 0; i < n; i++) for (let j = 0; j < m; j++) turned[j * n + i] = a[i * m + j]
  return turned
}

function pick(data: Float64Array, rows: Int32Array, width: number): Float64Array {
  const picked = new Float64Array(rows.length * width)
  rows.forEach((row, i) => picked.set(data.subarray(row * width, (row + 1) * width), i * width))
  return picked
}

function columnMeans({ count, width, data }: Samples): Float64Array {
  const means = new Float64Array(width)
  for (let i = 0; i < count; i++) for (let j = 0; j < width; j++) means[j] += data[i * width + j]
  return means.map((sum) => sum / count)
}

function centreTargets({ width, data }: Samples, rows: Int32Array): { mean: Float64Array; deviations: Float64Array } {
  const picked = pick(Float64Array.from(data), rows, width)
  const mean = columnMeans({ count: rows.length, width, data: picked })
  return { mean, deviations: picked.map((y, i) => y - mean[i % width]) }
}

function checkSamples(X: Samples, Y: Samples, groups: ArrayLike<number>): void {
  if (X.count !== Y.count || X.count !== groups.length)
    throw new RangeError(`${X.count} rows of voxels, ${Y.count} of targets, ${groups.length} groups`)
  const different = new Set(Array.from(groups)).size
  if (different < 2)
    throw new MindEyeError({
      kind: 'input',
      where: 'ridge',
      field: 'groups for cross-validation',
      expected: 'at least 2',
      found: `${different}`,
      fix: 'Train on more than one stimulus or run.',
    })
  if (!X.data.every(Number.isFinite) || !Y.data.every(Number.isFinite))
    throw new MindEyeError({
      kind: 'input',
      where: 'ridge',
      expected: 'finite voxels and targets',
      found: 'NaN or infinity',
      fix: 'Leave out the voxels that the import report lists as NaN.',
    })
}
