import { existsSync, readdirSync, readFileSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { createContext } from '../../src-main/actions/context.ts'
import { importAction } from '../../src-main/actions/import.ts'
import { inspect } from '../../src-main/actions/inspect.ts'
import type { ReaderMethods } from '../../src-main/actions/methods.ts'
import { disk } from '../../src-main/base/files.ts'
import { openChannel } from '../../src-main/engine/channel.ts'
import { encodeNpy } from '../../src-main/formats/npy.ts'
import { fingerprint, recordSource, verifySource } from '../../src-main/subjects/fingerprint.ts'
import { importPaths, safeId } from '../../src-main/subjects/importer.ts'
import { openSubject, readManifest } from '../../src-main/subjects/subject.ts'
import { Workspace } from '../../src-main/workspace/index.ts'
import { array, check, figures, quietly, temporaryFolder, writeSmallStudy } from './support.ts'

const small = (folder: string, V = 8) =>
  writeSmallStudy(folder, { train: [0, 1, 2, 0], test: [3, 4], V, side: 6, figures: figures(5, 6) }).path

/** The names that a user sees in a workspace's subjects folder, and those that are hidden. */
function content(workspace: string) {
  const names = readdirSync(join(workspace, 'subjects'))
  return {
    subjects: names.filter((name) => !name.startsWith('.')),
    temporary: names.filter((name) => name.startsWith('.')),
  }
}

afterEach(() => vi.restoreAllMocks())

describe('importing into a workspace', () => {
  it('a fault at the n-th disk call leaves the subject complete or absent, for every n', async () => {
    const folder = temporaryFolder()
    const source = small(folder)
    const root = join(folder, 'workspace')
    const workspace = Workspace.open(root, { create: true })
    let faults = 0
    let committed = false
    for (let n = 1; !committed; n++) {
      let calls = 0
      for (const name of ['open', 'write', 'fsync', 'rename', 'mkdir'] as const) {
        const real = disk[name] as (...args: unknown[]) => unknown
        vi.spyOn(disk, name).mockImplementation(((...args: unknown[]) => {
          if (++calls === n) throw Object.assign(new Error(`${name}: no space left on device`), { code: 'ENOSPC' })
          return real(...args)
        }) as never)
      }
      try {
        const staging = workspace.subjects.stage('s1')
        try {
          await importPaths([source], { id: 's1', map: {} }, staging.folder, quietly())
          staging.commit()
        } catch (error) {
          staging.discard()
          throw error
        }
        committed = calls < n
      } catch (error) {
        expect(String(error)).toMatch(/no space left/)
        faults++
      } finally {
        vi.restoreAllMocks()
      }
      const { subjects, temporary } = content(root)
      expect(temporary).toEqual([])
      // After the rename a fault can only come when the folder is complete already.
      if (subjects.length) {
        const subject = await openSubject(join(root, 'subjects', 's1'))
        expect(subject.readVoxels([5])).toHaveLength(8)
        subject.close()
        if (!committed) rmSync(join(root, 'subjects', 's1'), { recursive: true })
        workspace.subjects.reconcile()
      }
    }
    console.log(`import: ${faults} injected faults, 0 half-imported subjects`)
    expect(faults).toBeGreaterThan(20)
    expect(workspace.subjects.list().map(({ id }) => id)).toEqual(['s1'])
    workspace.close()
  })

  it('cancelling stops between blocks', async () => {
    const folder = temporaryFolder()
    const controller = new AbortController()
    const progress = ({ phase }: { phase: string }) => phase === 'images' && controller.abort()
    const options = { signal: controller.signal, progress: (report: { phase: string }) => void progress(report) }
    const staged = join(folder, 'staged')
    await expect(importPaths([small(folder)], { map: {} }, staged, options)).rejects.toMatchObject({
      parts: { kind: 'aborted' },
    })
    expect(existsSync(join(staged, 'subject.json'))).toBe(false)
  })

  it('a reader killed in the middle leaves no subject, and the next import succeeds', async () => {
    const folder = temporaryFolder()
    const source = small(folder, 400)
    const root = join(folder, 'workspace')
    const workspace = Workspace.open(root, { create: true })
    const entry = fileURLToPath(new URL('../../src-main/hosts/reader.ts', import.meta.url))
    const reader = openChannel<ReaderMethods>({ name: 'the reader process', entry })
    await reader.call('ping', {})
    const staging = workspace.subjects.stage('s1')
    const request = { paths: [source], map: {}, id: 's1', folder: staging.folder }
    const killed = reader.call('importStudy', request, { onProgress: () => process.kill(reader.pid!, 'SIGKILL') })
    await expect(killed).rejects.toMatchObject({ name: 'ProcessDeath' })
    expect(existsSync(join(staging.folder, 'subject.json'))).toBe(false)
    staging.discard()
    expect(content(root)).toEqual({ subjects: [], temporary: [] })
    workspace.close()

    const ctx = createContext(() => {})
    const done = await importAction.run(ctx, { paths: [source], workspace: root, as: 's1' }, quietly())
    expect(done.subject).toBe('s1')
    expect(content(root)).toEqual({ subjects: ['s1'], temporary: [] })
    await ctx.close()
  })

  it('the action tells the checks before it commits, and imports nothing when one is an error', async () => {
    const folder = temporaryFolder()
    const source = small(folder)
    const root = join(folder, 'workspace')
    const lines: string[] = []
    const ctx = createContext((line) => {
      lines.push(`${content(root).subjects.length} ${line}`)
    })
    const { subject, checks } = await importAction.run(ctx, { paths: [source], workspace: root }, quietly())
    expect(subject).toBe('study')
    expect(check(checks, 'trials.count').ok).toBe(true)
    expect(lines.some((line) => line.startsWith('0 ok') && line.includes('[trials.count]'))).toBe(true)

    const bad = join(folder, 'x.npy')
    writeFileSync(bad, encodeNpy(array('float32', [1, 3], [1, 2, 3])))
    const one = join(folder, 'p.npy')
    writeFileSync(
      one,
      encodeNpy(
        array(
          'uint8',
          [1, 4, 4],
          Array.from({ length: 16 }, (_, i) => i * 15),
        ),
      ),
    )
    const refused = importAction.run(
      ctx,
      { paths: [bad, one], workspace: root, map: ['voxels=x', 'stimuli=p'] },
      quietly(),
    )
    await expect(refused).rejects.toThrow(/expected at least 2 trials and 1 voxel, found 1 trial of 3 voxels/)
    expect(content(root)).toEqual({ subjects: ['study'], temporary: [] })
    const seen = await inspect.run(ctx, { paths: [source] }, quietly())
    expect(seen).toMatchObject({ layout: 'small-study', trialCount: 6, name: 'study' })
    expect(inspect.format!(seen)).toMatch(/^Small study .*\n6 trials, 8 voxels, 5 images of 6 x 6\n/)
    await ctx.close()
  })

  it('ids are safe as folder names', () => {
    expect(['sub 01/é', '../..', '', '-x', 'a'.repeat(99)].map(safeId)).toEqual([
      'sub-01',
      'subject',
      'subject',
      'x',
      'a'.repeat(64),
    ])
  })
})

describe('the stored subject', () => {
  async function stored(change?: (folder: string) => void) {
    const folder = temporaryFolder()
    const source = small(folder)
    const dir = join(folder, 'subject')
    await importPaths([source], { map: {} }, dir, quietly())
    change?.(folder)
    return { folder, source, dir }
  }
  const read = async (dir: string) => {
    const subject = await openSubject(dir)
    const values = { voxels: [...subject.readVoxels([0, 5, 2, 3])], images: [...subject.readImages([4, 0]).data] }
    subject.close()
    return values
  }

  it('a deleted cache is made again, equal byte for byte', async () => {
    const { dir } = await stored()
    const before = await read(dir)
    const bytes = ['voxels.npy', 'stimuli.npy'].map((name) => readFileSync(join(dir, 'cache', name)))
    rmSync(join(dir, 'cache'), { recursive: true })
    expect(await read(dir)).toEqual(before)
    rmSync(join(dir, 'cache', 'stimuli.npy'))
    expect(await read(dir)).toEqual(before)
    expect(['voxels.npy', 'stimuli.npy'].map((name) => readFileSync(join(dir, 'cache', name)))).toEqual(bytes)
    expect(readdirSync(dir).filter((name) => name.includes('tmp'))).toEqual([])
  })

  it('the sources are needed only then, unchanged', async () => {
    const { dir, source } = await stored()
    renameSync(source, `${source}.away`)
    expect((await read(dir)).voxels).toHaveLength(32)
    rmSync(join(dir, 'cache'), { recursive: true })
    await expect(openSubject(dir)).rejects.toThrow(
      /study\.mat, source of an imported subject: expected the file at this place, found no file/,
    )

    renameSync(`${source}.away`, source)
    const bytes = readFileSync(source)
    bytes[bytes.length - 9] ^= 1
    writeFileSync(source, bytes)
    await expect(openSubject(dir)).rejects.toThrow(/expected the contents that were imported, found other contents/)
    writeFileSync(source, bytes.subarray(0, bytes.length - 8))
    await expect(openSubject(dir)).rejects.toThrow(/expected \d+ bytes, found \d+ bytes/)
  })

  it('a touched but equal source is accepted', async () => {
    const { dir, source } = await stored()
    utimesSync(source, 1, 1)
    rmSync(join(dir, 'cache'), { recursive: true })
    expect((await read(dir)).voxels).toHaveLength(32)
  })

  it('values that are not finite are stored as the mean of their voxel', async () => {
    const folder = temporaryFolder()
    const x = [1, NaN, 3, 5, 5, 7, NaN, NaN]
    writeFileSync(join(folder, 'x.npy'), encodeNpy(array('float32', [4, 2], x)))
    const pictures = figures(4, 4).flat()
    writeFileSync(join(folder, 'p.npy'), encodeNpy(array('uint8', [4, 4, 4], pictures)))
    const dir = join(folder, 'subject')
    const map = { voxels: 'x', stimuli: 'p' }
    const { checks } = await importPaths([join(folder, 'x.npy'), join(folder, 'p.npy')], { map }, dir, quietly())
    expect(check(checks, 'voxels.finite').found).toBe('3 of 8 values in 2 voxels')
    const subject = await openSubject(dir)
    expect([...subject.readVoxels([0, 1, 2, 3])]).toEqual([1, 6, 3, 5, 5, 7, 3, 6])
    subject.close()
  })

  it('what is not a subject is refused', async () => {
    const { dir } = await stored()
    expect(() => readManifest(join(dir, 'cache'))).toThrow(/expected an imported subject/)
    writeFileSync(join(dir, 'trials.tsv'), 'stimulus\tpart\tsession\trun\n0\ttrain\t1\t1\n')
    await expect(openSubject(dir)).rejects.toThrow(/trials\.tsv, rows: expected 6, found 1/)
    writeFileSync(join(dir, 'subject.json'), '{"version": 1')
    await expect(openSubject(dir)).rejects.toThrow(/subject\.json, manifest: expected JSON/)
    writeFileSync(join(dir, 'subject.json'), '{"version": 2}')
    await expect(openSubject(dir)).rejects.toThrow(/version: expected 1, found 2/)
    const subject = await stored()
    const opened = await openSubject(subject.dir)
    expect(() => opened.readVoxels([6])).toThrow(RangeError)
    expect(() => opened.readImages([-1])).toThrow(RangeError)
    opened.close()
  })
})

describe('fingerprints', () => {
  it('small files are hashed whole; big ones by size and slices, the first and the last included', () => {
    const folder = temporaryFolder()
    const path = join(folder, 'big')
    const bytes = Buffer.alloc(65 * 2 ** 20, 7)
    const of = (change: (b: Buffer) => Buffer | void) => {
      const copy = Buffer.from(bytes)
      writeFileSync(path, change(copy) ?? copy)
      return fingerprint(path)
    }
    const base = of(() => {})
    expect(base).toMatch(/^sampled-sha256:[0-9a-f]{64}$/)
    expect(of(() => {})).toBe(base)
    expect(of((b) => void (b[5] = 1))).not.toBe(base)
    expect(of((b) => void (b[b.length - 1] = 1))).not.toBe(base)
    expect(of((b) => b.subarray(0, b.length - 1))).not.toBe(base)
    // the hash of the three bytes "abc", FIPS 180
    writeFileSync(path, 'abc')
    expect(fingerprint(path)).toBe('sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad')
    const record = recordSource(path)
    expect(record).toMatchObject({ size: 3, mtimeMs: statSync(path).mtimeMs })
    expect(() => verifySource(record)).not.toThrow()
  })
})
