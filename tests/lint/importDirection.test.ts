import { ESLint, Linter } from 'eslint'
import tseslint from 'typescript-eslint'
import { describe, expect, it } from 'vitest'
import rooms from '../../scripts/lint/rooms.mjs'

/** Messages of the import rule alone for `code`, as if it stood in `file`. */
function complaints(file: string, code: string): string[] {
  const config: Linter.Config = {
    files: ['**/*.ts'],
    languageOptions: { parser: tseslint.parser as Linter.Parser },
    plugins: { rooms },
    rules: { 'rooms/import-direction': 'error' },
  }
  const messages = new Linter({ cwd: process.cwd() }).verify(code, [config], { filename: `${process.cwd()}/${file}` })
  expect(messages.filter((message) => message.fatal)).toEqual([])
  return messages.map((message) => message.message)
}

describe('import direction', () => {
  it.each([
    ['src-main/nn/layers.ts', `import { train } from '../training/trainer.ts'`],
    ['src-main/nn/layers.ts', `import type { Trainer } from '../training/trainer.ts'`],
    ['src-main/formats/npy.ts', `export * from '../subjects/subject.ts'`],
    ['src-main/formats/npy.ts', `import { loadBackend } from '../engine/backend.ts'`],
    ['src-main/base/errors.ts', `import { openNpy } from '../formats/npy.ts'`],
    ['src-main/models/brainNetwork.ts', `const { x } = await import('../retrieval/topk.ts')`],
    ['src-main/subjects/layouts/nsd.ts', `import { actions } from '../../actions/index.ts'`],
    ['src-main/subjects/subject.ts', `import { openChannel } from '../engine/channel.ts'`],
    ['src-main/engine/channel.ts', `import { Dense } from '../nn/layers.ts'`],
    ['src-main/actions/train.ts', `import { main } from '../hosts/cli.ts'`],
    ['src-main/actions/train.ts', `type T = import('../hosts/cli.ts').T`],
    ['src-main/nn/layers.ts', `import * as tf from '@tensorflow/tfjs-node-gpu'`],
    ['src-main/nn/layers.ts', `const tf = require('@tensorflow/tfjs-backend-cpu')`],
    ['tests/nn/layers.test.ts', `import '@tensorflow/tfjs'`],
    ['src-main/hosts/node.ts', `import { app } from 'electron'`],
    ['src-main/cellar/wine.ts', `import { MindEyeError } from '../base/errors.ts'`],
    ['src-renderer/app/main.ts', `import { actions } from '../../src-main/actions/index.ts'`],
  ])('%s refuses: %s', (file, code) => {
    expect(complaints(file, code)).toHaveLength(1)
  })

  it.each([
    ['src-main/hosts/cli.ts', `import { actions } from '../actions/index.ts'`],
    ['src-main/actions/doctor.ts', `import { diagnose } from '../engine/doctor.ts'`],
    ['src-main/training/trainer.ts', `import { topk } from '../retrieval/topk.ts'`],
    ['src-main/training/trainer.ts', `import { loadBackend } from '../engine/backend.ts'`],
    ['src-main/subjects/splits.ts', `import { Random } from '../nn/random.ts'`],
    ['src-main/formats/npy.ts', `import { formatError } from '../base/errors.ts'`],
    ['src-main/nn/layers.ts', `import * as tf from '@tensorflow/tfjs-core'`],
    ['src-main/engine/backend.ts', `import '@tensorflow/tfjs'`],
    ['src-main/hosts/electron.ts', `import { app } from 'electron'`],
    ['src-main/subjects/layouts/nsd.ts', `import { openSubject } from '../subject.ts'`],
    ['src-renderer/app/main.ts', `import type { Actions } from '../../src-main/actions/index.ts'`],
  ])('%s allows: %s', (file, code) => {
    expect(complaints(file, code)).toEqual([])
  })

  it('is in force for every source file, beside the strict type rules', async () => {
    const config = (await new ESLint().calculateConfigForFile('src-main/nn/layers.ts')) as Linter.Config
    for (const rule of [
      'rooms/import-direction',
      '@typescript-eslint/no-explicit-any',
      '@typescript-eslint/no-floating-promises',
    ])
      expect(config.rules?.[rule]).toContain(2)
  })
})
