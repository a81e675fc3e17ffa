import { resolve } from 'node:path'
import { defineConfig } from 'electron-vite'
import renderer from './vite.config.ts'

const source = (path: string) => resolve(import.meta.dirname, 'src-main', path)

/** `electron-vite build`: the main process and the entries of its child processes, the preload script, the page. */
export default defineConfig({
  main: {
    build: {
      outDir: 'out/main',
      rolldownOptions: {
        input: {
          index: source('hosts/electron.ts'),
          node: source('hosts/node.ts'),
          cli: source('hosts/cli.ts'),
          engine: source('hosts/engine.ts'),
          reader: source('hosts/reader.ts'),
          kernelCheck: source('engine/kernelCheck.ts'),
        },
        // All in one folder: the entries of child processes lie beside whatever file starts them (base/layout.ts).
        output: { entryFileNames: '[name].mjs', chunkFileNames: '[name]-[hash].mjs' },
      },
    },
  },
  preload: {
    build: {
      outDir: 'out/preload',
      // A sandboxed preload script can neither be a module nor require packages.
      externalizeDeps: false,
      rolldownOptions: {
        input: { preload: source('hosts/preload.ts') },
        output: { format: 'cjs', entryFileNames: '[name].cjs' },
      },
    },
  },
  renderer,
})
