import type { Context } from 'hono'
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { MindEyeError } from '../base/errors.ts'
import type { SubjectManifest } from '../subjects/subject.ts'
import {
  ceilingMap,
  imageMap,
  offerMaps,
  roiMap,
  trialMap,
  type VoxelMapOffer,
  type VoxelValues,
} from '../subjects/voxelMaps.ts'
import { readStatistics, type VoxelStatistics } from '../subjects/voxelStatistics.ts'
import { foldFiles } from '../training/foldFiles.ts'
import { bytesOf } from './arrays.ts'
import type { Services } from './services.ts'
import { tagged } from './tagged.ts'

/** What the header `X-Map` says about the numbers of a map. */
export interface MapFacts extends Pick<VoxelMapOffer, 'title' | 'unit' | 'signed'> {
  n: number
  detail: string
}

const MOST_WEIGHTS = 16

/** Makes maps of one number per voxel; what takes long is done in the reader process and remembered. */
export class VoxelMapMaker {
  private readonly services: Services
  private readonly statistics = new Map<string, Promise<VoxelStatistics>>()
  private readonly weights = new Map<string, Promise<Float32Array>>()

  constructor(services: Services) {
    this.services = services
  }

  /** (V) float32, NaN for missing values, with the header `X-Map`. Throws an input error for an unknown map or a missing choice. */
  async answer(c: Context, subject: string, id: string): Promise<Response> {
    const { manifest: raw } = this.services.workspace.subjects.get(subject)
    const manifest = raw as unknown as SubjectManifest
    const offers = offerMaps(manifest)
    const offer = offers.find((it) => it.id === id)
    if (!offer) throw inputError('map', `one of ${offers.map((it) => it.id).join(', ')}`, `'${id}'`)
    const chosen = offer.needs && c.req.query(offer.needs)
    if (offer.needs && !chosen) throw inputError(offer.needs, `the ${offer.needs} to show`, 'nothing')
    const tag = `map-${subject}-${this.services.subjects.versionOf(subject)}-${id}-${encodeURIComponent(chosen ?? '')}`
    let facts: MapFacts | undefined
    const response = await tagged(c, 'application/octet-stream', tag, async () => {
      const { values, n, detail } = await this.make(subject, manifest, id, chosen ?? '')
      facts = { title: offer.title, unit: offer.unit, signed: offer.signed, n, detail }
      return bytesOf(values)
    })
    // Headers hold ASCII only.
    if (facts)
      response.headers.set(
        'X-Map',
        JSON.stringify(facts).replace(
          /[^\x20-\x7e]/g,
          (letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, '0')}`,
        ),
      )
    return response
  }

  private async make(id: string, manifest: SubjectManifest, map: string, chosen: string): Promise<VoxelValues> {
    const { folder } = this.services.workspace.subjects.get(id)
    switch (map) {
      case 'trial':
      case 'image':
      case 'raw-trial': {
        const trial = Number(chosen)
        if (!/^\d+$/.test(chosen) || trial >= manifest.trialCount)
          throw inputError('trial', `a row of the trial table, 0 to ${manifest.trialCount - 1}`, `'${chosen}'`)
        const statistics = map === 'raw-trial' ? undefined : await this.statisticsOf(id, folder)
        const subject = await this.services.subjects.get(id)
        return map === 'image' ? imageMap(subject, trial, statistics!) : trialMap(subject, trial, statistics)
      }
      case 'mean': {
        const { mean } = await this.statisticsOf(id, folder)
        return { values: mean, n: manifest.trialCount, detail: `mean of ${manifest.trialCount} trials` }
      }
      case 'noise-ceiling':
        return ceilingMap(folder, manifest)
      case 'weights':
        return this.weightsOf(id, chosen, manifest.voxelCount)
      case 'roi':
        return roiMap(folder, manifest, chosen)
      default:
        return roiMap(folder, manifest)
    }
  }

  private async statisticsOf(id: string, folder: string): Promise<VoxelStatistics> {
    const key = `${id} ${this.services.subjects.versionOf(id)}`
    let found = this.statistics.get(key)
    if (!found) {
      // Opening the subject makes a deleted cache again.
      found = this.services.subjects
        .get(id)
        .then(
          () => readStatistics(folder) ?? this.services.ctx.reader().call('voxelStatistics', { subjectFolder: folder }),
        )
      this.statistics.set(key, found)
      found.catch(() => this.statistics.delete(key))
    }
    return found
  }

  private async weightsOf(subject: string, id: string, voxels: number): Promise<VoxelValues> {
    const { runs } = this.services.workspace
    const run = runs.get(id)
    if (run.subject !== subject)
      throw inputError('run', `a run trained on ${subject}`, `${id}, trained on ${run.subject}`)
    const folder = runs.folderOf(id)
    const folds = existsSync(join(folder, 'folds'))
      ? readdirSync(join(folder, 'folds')).filter((name) => /^\d+$/.test(name))
      : []
    const paths = folds.map((fold) => foldFiles(join(folder, 'folds', fold)).model).filter((path) => existsSync(path))
    if (!paths.length)
      throw new MindEyeError({
        kind: 'state',
        where: id,
        expected: 'a run with a trained decoder',
        found: `that it is ${run.state} and has none`,
        fix: 'Train it to the end of its first fold.',
      })
    const key = `${id} ${paths.length}`
    let norms = this.weights.get(key)
    if (!norms) {
      norms = this.services.ctx.reader().call('weightNorms', { paths, voxels })
      this.weights.set(key, norms)
      norms.catch(() => this.weights.delete(key))
      if (this.weights.size > MOST_WEIGHTS) this.weights.delete(this.weights.keys().next().value!)
    }
    const detail = `first layer of ${id}, mean of ${paths.length} ${paths.length === 1 ? 'fold' : 'folds'}`
    return { values: await norms, n: paths.length, detail }
  }
}

const inputError = (where: string, expected: string, found: string): MindEyeError =>
  new MindEyeError({ kind: 'input', where, expected, found })
