import { readFileSync } from 'node:fs'
import * as v from 'valibot'
import { formatError, MindEyeError } from '../../base/errors.ts'
import type { ArrayEntry } from '../../formats/array.ts'
import type { Check } from '../checks.ts'
import { type Inventory, toFloat32 } from '../inventory.ts'
import { encodedPictures } from '../pictures.ts'
import { arrayOf, findSamples, partOf, type Sample } from '../samples.ts'
import type { Layout, Mapping, Study } from '../study.ts'
import { emptyTrials } from '../tables.ts'
import { nsdCountChecks, subjectNumber, subjectsOf } from './nsdFacts.ts'
import { volumeOf } from './volumeMasks.ts'

const BETAS = 'nsdgeneral.npy'

const metadata = v.pipe(v.string(), v.parseJson(), v.object({ totals: v.record(v.string(), v.number()) }))

function partName(path: string): string | undefined {
  const words = path
    .toLowerCase()
    .split(/[/\\_.-]+/)
    .reverse()
  return words.find((word) => word === 'train' || word === 'val' || word === 'test')
}

/** 0 train, 1 test, -1 unknown: MindEye trains on its small `val` shard too. */
function partOfPath(path: string): number {
  const name = partName(path)
  return name === undefined ? -1 : name === 'test' ? 1 : 0
}

function ofOneSubject(samples: Sample[], map: Mapping, where: string): Sample[] {
  const numbers = new Set(samples.map(({ file }) => subjectNumber(file.name)))
  if (map.subject === undefined && numbers.size <= 1) return samples
  const own = samples.filter(({ file }) => subjectNumber(file.name) === Number(map.subject))
  if (own.length) return own
  throw new MindEyeError({
    kind: 'input',
    where,
    expected: 'the tars of one subject',
    found: `subjects ${[...numbers].join(', ')}`,
    fix: 'Import one subject at a time: --map subject=1.',
  })
}

/** Samples found beside those that `metadata_subj0S.json` promises; nothing where there is no such file. */
function totalsCheck(inventory: Inventory, samples: Sample[], subject: number | undefined): Check[] {
  const file = inventory.files.find(({ name }) => /^metadata_.*\.json$/.test(name) && subjectNumber(name) === subject)
  if (!file || file.size > 1 << 20) return []
  const parsed = v.safeParse(metadata, readFileSync(file.path, 'utf8'))
  if (!parsed.success) throw formatError(file.name, 'totals', 'JSON with a count per part', parsed.issues[0].message)
  const { totals } = parsed.output
  const found: Record<string, number> = {}
  for (const sample of samples) {
    const part = partName(sample.file.path) ?? 'other'
    found[part] = (found[part] ?? 0) + 1
  }
  const list = (counts: Record<string, number>) =>
    Object.keys(totals)
      .map((part) => `${counts[part] ?? 0} ${part}`)
      .join(', ')
  return [
    {
      code: 'webdataset.totals',
      level: 'warning',
      ok: Object.entries(totals).every(([part, n]) => found[part] === n),
      title: 'Samples as the metadata promises',
      expected: list(totals),
      found: list(found),
      detail: '',
    },
  ]
}

/** One number from a part that may be missing. */
function numberIn(sample: Sample, extension: string): number | undefined {
  return sample.parts.has(extension) ? Number(arrayOf(sample, extension).read().data[0]) : undefined
}

/** MindEye's tars: a picture, its 73k id and the betas of its repeats (3, V) per sample; train, val and test in folders. */
export const webdataset: Layout = {
  id: 'mindeye-webdataset',
  title: 'MindEye webdataset',

  async recognise(inventory) {
    const samples = findSamples(inventory, BETAS)
    if (!samples.length) return null
    return { confidence: 0.9, explanation: `${samples.length} samples with ${BETAS} in tar files` }
  },

  async subjects(inventory) {
    return subjectsOf(
      inventory,
      findSamples(inventory, BETAS).map(({ file }) => file),
    )
  },

  async open(inventory, map): Promise<Study> {
    const where = inventory.paths.join(', ')
    const samples = ofOneSubject(findSamples(inventory, BETAS), map, where)
    if (!samples.length) throw inventory.missing(`tar files whose samples hold a picture and ${BETAS}`)

    const rows: { entry: ArrayEntry; row: number; stimulus: number }[] = []
    const ids: string[] = []
    const parts: number[] = []
    let V: number | undefined
    let padded = 0
    samples.forEach((sample, stimulus) => {
      const entry = arrayOf(sample, BETAS)
      const at = `sample ${sample.key}`
      if (entry.shape.length !== 2)
        throw formatError(sample.file.name, `${at}, ${BETAS}`, '(repeats, voxels)', `[${entry.shape}]`)
      V ??= entry.shape[1]
      if (entry.shape[1] !== V)
        throw formatError(
          sample.file.name,
          `${at}, ${BETAS}`,
          `${V} voxels, as the first sample`,
          String(entry.shape[1]),
        )
      // An image seen less than three times has earlier repeats copied behind its own.
      const unique = numberIn(sample, 'num_uniques.npy') ?? entry.shape[0]
      if (!(unique >= 1 && unique <= entry.shape[0]))
        throw formatError(sample.file.name, `${at}, num_uniques.npy`, `1 to ${entry.shape[0]}`, String(unique))
      padded += entry.shape[0] - unique
      for (let row = 0; row < unique; row++) rows.push({ entry, row, stimulus })
      ids.push(String(numberIn(sample, 'coco73k.npy') ?? sample.key))
      parts.push(partOfPath(sample.file.path))
    })
    const width = V ?? 0
    const pictures = await encodedPictures(samples.length, (i) => {
      const entry = partOf(samples[i], 'jpg', 'png', 'jpeg', 'webp')
      return { bytes: samples[i].tar.read(entry), name: `${samples[i].file.name}/${entry.name}` }
    })

    const trials = emptyTrials(rows.length)
    rows.forEach(({ stimulus }, t) => {
      trials.stimulus[t] = stimulus
      trials.part[t] = parts[stimulus]
    })
    const subject = map.subject === undefined ? subjectNumber(samples[0].file.name) : Number(map.subject)
    const volume = volumeOf(inventory, width, subject)
    return {
      name: subject === undefined ? 'webdataset' : `subj${String(subject).padStart(2, '0')}`,
      sources: [...new Set(samples.map(({ file }) => file.path)), ...volume.sources],
      trials,
      stimuli: { ids },
      voxelCount: width,
      image: pictures.image,
      readVoxels(start, stop) {
        const out = new Float32Array((stop - start) * width)
        for (let t = start; t < stop; t++) {
          const { entry, row } = rows[t]
          out.set(toFloat32(entry.readRows(row, row + 1)), (t - start) * width)
        }
        return out
      },
      readImages: (start, stop) => pictures.read(Array.from({ length: stop - start }, (_, i) => start + i)),
      ...volume.geometry,
      checks: () => [
        {
          code: 'webdataset.repeats',
          level: 'note',
          ok: true,
          title: 'Repeats in the samples',
          expected: 'up to 3 rows per image, distinct ones first',
          found: `${rows.length} distinct trials in ${samples.length} samples, ${padded} copied rows left out`,
          detail: '',
        },
        {
          code: 'images.size',
          level: 'note',
          ok: pictures.resized() === 0,
          title: 'One size of picture',
          expected: `${pictures.image.width} x ${pictures.image.height}`,
          found: pictures.resized() ? `${pictures.resized()} others, cropped and resized` : pictures.stored,
          detail: '',
        },
        ...totalsCheck(inventory, samples, subject),
        ...nsdCountChecks(subject, width),
      ],
    }
  },
}
