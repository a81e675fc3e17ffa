/** Builds the page unless it is up to date; `npm run serve` begins with it. */
import { buildIfNeeded } from './start/build.ts'

await buildIfNeeded(false)
