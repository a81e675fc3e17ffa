/** Draws the app's icon at the size that packages want: `node_modules/.bin/node scripts/makeAppIcon.ts` */
import { join } from 'node:path'
import sharp from 'sharp'
import { layout } from '../src-main/base/layout.ts'

const SIDE = 1024
const vector = layout.resource('icons/icon.svg')
// The drawing has 64 units at 72 dpi; the density makes the library draw it at full size instead of enlarging pixels.
await sharp(vector, { density: (72 * SIDE) / 64 })
  .resize(SIDE, SIDE)
  .png({ compressionLevel: 9 })
  .toFile(join(layout.root, 'resources', 'icons', 'icon.png'))
