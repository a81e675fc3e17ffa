/**
 * Copies the icons that the simulated world needs out of the development package @iconify-json/fluent-emoji-flat into
 * resources/world, so that the project runs without it: `node_modules/.bin/node scripts/makeIcons.ts`
 */
import { readFileSync, writeFileSync } from 'node:fs'
import type { IconFile } from '../src-main/subjects/simulator/scenes.ts'
import { kinds } from '../src-main/subjects/simulator/kinds.ts'

const root = new URL('../', import.meta.url)
const set = JSON.parse(
  readFileSync(new URL('node_modules/@iconify-json/fluent-emoji-flat/icons.json', root), 'utf8'),
) as { icons: Record<string, { body: string } | undefined> }

const file: IconFile = {
  source: 'Fluent Emoji Flat by Microsoft Corporation, https://github.com/microsoft/fluentui-emoji',
  license: 'MIT, see LICENSE in this folder',
  icons: Object.fromEntries(
    kinds.map((name) => {
      const icon = set.icons[name]
      if (!icon) throw new Error(`the icon set has no ${name}`)
      return [name, icon.body]
    }),
  ),
}
writeFileSync(new URL('resources/world/icons.json', root), `${JSON.stringify(file, null, 1)}\n`)
