import * as fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest'
import { MindEyeError } from '../../src-main/base/errors.ts'
import { layout } from '../../src-main/base/layout.ts'
import { packFingerprint } from '../../src-main/models/pack.ts'
import { Workspace } from '../../src-main/workspace/index.ts'

const base = fs.mkdtempSync(join(tmpdir(), 'packs-'))
afterAll(() => fs.rmSync(base, { recursive: true, force: true }))

let root: string
let workspace: Workspace
let count = 0
beforeEach(() => {
  root = join(base, String(count++))
  workspace = Workspace.open(root, { create: true })
})
afterEach(() => workspace.close())

const pack = { folder: '/data/versatile-diffusion', fingerprint: 'sha256:ab', parts: ['image_encoder', 'vae'] }

function refusal(act: () => unknown): MindEyeError {
  try {
    act()
  } catch (error) {
    expect(error).toBeInstanceOf(MindEyeError)
    return error as MindEyeError
  }
  throw new Error('nothing was refused')
}

function reopen(): Workspace {
  workspace.close()
  workspace = Workspace.open(root)
  return workspace
}

describe('packs', () => {
  test('are registered durably and listed by id', () => {
    const added = workspace.packs.add('versatile', pack)
    expect(added).toMatchObject({ version: 1, id: 'versatile', ...pack })
    expect(Math.abs(Date.now() - Date.parse(added.added))).toBeLessThan(60_000)
    workspace.packs.add('clip', { ...pack, parts: ['image_encoder'] })
    const seen = reopen().packs
    expect(seen.get('versatile')).toEqual(added)
    expect(seen.list().map(({ id }) => id)).toEqual(['demo', 'clip', 'versatile'])
    expect(workspace.problems).toEqual([])
  })

  test('a taken id, a bad id and an unknown id are refused by name', () => {
    expect(refusal(() => workspace.packs.get('p')).parts).toMatchObject({ expected: 'one of demo', found: "'p'" })
    workspace.packs.add('p', pack)
    expect(refusal(() => workspace.packs.add('p', pack)).parts.found).toContain("'p', which is a pack")
    expect(refusal(() => workspace.packs.add('../p', pack)).parts.where).toBe('--id')
    expect(refusal(() => workspace.packs.get('q')).parts).toMatchObject({ expected: 'one of demo, p', found: "'q'" })
  })

  test('removing one leaves its files', () => {
    const folder = join(base, 'networks')
    fs.mkdirSync(folder)
    workspace.packs.add('p', { ...pack, folder })
    workspace.packs.remove('p')
    expect(
      reopen()
        .packs.list()
        .map(({ id }) => id),
    ).toEqual(['demo'])
    expect(fs.readdirSync(join(root, 'packs'))).toEqual([])
    expect(fs.existsSync(folder)).toBe(true)
  })

  test('the one that comes with the program is always there, until another is registered under its id', () => {
    const demo = workspace.packs.get('demo')
    expect(demo.folder).toBe(layout.resource('packs/demo'))
    expect(demo.fingerprint).toBe(packFingerprint(demo.folder))
    expect(demo.parts).toContain('image_unet')
    expect(workspace.packs.list()).toEqual([demo])
    expect(refusal(() => workspace.packs.remove('demo')).parts.found).toBe('the one that comes with the program')
    workspace.packs.add('demo', pack)
    expect(workspace.packs.get('demo').folder).toBe(pack.folder)
    expect(workspace.packs.list()).toHaveLength(1)
    workspace.packs.remove('demo')
    expect(workspace.packs.get('demo')).toEqual(demo)
  })

  test('a lost index is rebuilt; a damaged record is told and left out', () => {
    workspace.packs.add('a', pack)
    workspace.packs.add('b', pack)
    const before = workspace.packs.list()
    workspace.close()
    fs.rmSync(join(root, 'index.sqlite'))
    workspace = Workspace.open(root)
    expect(workspace.packs.list()).toEqual(before)
    fs.writeFileSync(join(root, 'packs', 'a', 'pack.json'), '{"version":1,')
    expect(reopen().packs.list()).toEqual(before.filter(({ id }) => id !== 'a'))
    expect(workspace.problems.join()).toContain('pack.json cannot be read')
  })

  test('a workspace from before there were packs is brought up to date', () => {
    workspace.close()
    const index = new Database(join(root, 'index.sqlite'))
    index.exec('DROP TABLE packs')
    index.pragma('user_version = 1')
    index.close()
    fs.rmdirSync(join(root, 'packs'))
    workspace = Workspace.open(root)
    expect(workspace.packs.add('p', pack)).toEqual(workspace.packs.get('p'))
  })
})
